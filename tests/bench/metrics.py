"""Numbers that a running validator tells about itself."""
import urllib.request


def metric(cluster, i, name):
    """A number of validator `i`; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{cluster.port + 10 * (i - 1) + 2}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), None)
