// Checks inclusion and checkpoint of tlog-proof files with the npm package @sigstore/verify, which
// npm itself uses for provenance, and that it takes no copy with one byte altered.
//
//   node verify.mjs POLICY PROOF LEAF [PROOF LEAF ...]
//
// Prints one JSON object. The package reads the leaf, the index, the hashes, the checkpoint's text
// and the signature line of one log key; those bytes are altered, each in turn. Its dist/tlog is
// not part of its interface, hence the pinned version.
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';

const { verifyTLogInclusion } = createRequire(import.meta.url)('@sigstore/verify/dist/tlog/index.js');

const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex'); // RFC 8410, before the key.

// Log keys of a C2SP tlog-policy, as the package wants them.
function logKeys(policy) {
  const keys = [];
  for (const line of policy.split('\n')) {
    const [word, vkey] = line.split(/\s+/);
    if (word !== 'log') continue;
    const [name, hint, ...value] = vkey.split('+'); // A '+' in what follows is base64's.
    const raw = Buffer.from(value.join('+'), 'base64');
    const id = createHash('sha256').update(name + '\n').update(raw).digest();
    if (raw[0] !== 1 || id.subarray(0, 4).toString('hex') !== hint) throw new Error(`not a log key: ${vkey}`);
    const publicKey = createPublicKey({
      key: Buffer.concat([ED25519_SPKI, raw.subarray(1)]), format: 'der', type: 'spki',
    });
    keys.push({ logID: id, baseURL: name, publicKey, validFor: { start: new Date(0), end: new Date(8.64e15) } });
  }
  return keys;
}

// A C2SP tlog-proof; latin1 keeps the bytes of the file apart.
function parse(file) {
  const end = file.indexOf('\n\n');
  const lines = file.subarray(0, end).toString('latin1').split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') throw new Error('not a tlog-proof');
  if (lines[0]?.startsWith('extra ')) lines.shift();
  const index = /^index (0|[1-9][0-9]*)$/.exec(lines.shift());
  if (end < 0 || index === null) throw new Error('no index');
  const hashes = lines.map((line) => {
    const hash = Buffer.from(line, 'base64');
    if (!/^[A-Za-z0-9+/]{43}=$/.test(line) || hash.length !== 32) throw new Error('not a hash');
    return hash;
  });
  return { index: index[1], hashes, envelope: file.subarray(end + 2).toString('utf8') };
}

function verify(key, proof, leaf) {
  verifyTLogInclusion({
    logId: { keyId: key.logID },
    canonicalizedBody: leaf,
    inclusionProof: { logIndex: proof.index, hashes: proof.hashes, checkpoint: { envelope: proof.envelope } },
  }, [key]);
}

function holds(key, file, leaf) {
  try {
    verify(key, parse(file), leaf);
    return true;
  } catch {
    return false;
  }
}

// The bytes that the package reads: all of the file but the extra and the lines of other keys.
function placesRead(file, key) {
  const places = [];
  let at = 0;
  for (const line of file.toString('latin1').split('\n')) {
    const next = at + line.length + 1;
    const signature = line.startsWith(Buffer.from('\u2014 ').toString('latin1'));
    const own = signature && Buffer.from(line.split(' ')[2], 'base64').subarray(0, 4).equals(key.logID.subarray(0, 4));
    if ((!signature || own) && !line.startsWith('extra ')) {
      for (let i = at; i < Math.min(next, file.length); i++) places.push(i);
    }
    at = next;
  }
  return places;
}

// What was read, with the name as this version of the package compares it: as a regular expression.
function meaning(file, key) {
  const { index, hashes, envelope } = parse(file);
  const [text, lines] = envelope.split('\n\n');
  const own = [...lines.matchAll(/\u2014 (\S+) (\S+)\n/g)]
    .map(([, name, value]) => [key.baseURL.match(name) !== null, Buffer.from(value, 'base64')])
    .filter(([, value]) => value.subarray(0, 4).equals(key.logID.subarray(0, 4)));
  return { index, hashes, text, own };
}

const [policyPath, ...files] = process.argv.slice(2);
const report = { tool: '@sigstore/verify', what: 'inclusion and checkpoint', checked: 0, altered: 0, refused: 0, same: 0, unread: 0 };
const count = (taken, same) => {
  report.altered += 1;
  if (!taken) report.refused += 1;
  else if (same()) report.same += 1;
  else throw new Error('an altered copy was taken as good');
};
for (let i = 0; i < files.length; i += 2) {
  const file = readFileSync(files[i]);
  const leaf = readFileSync(files[i + 1]);
  const signed = logKeys(readFileSync(policyPath, 'utf8')).filter((key) => holds(key, file, leaf));
  if (signed.length === 0) throw new Error(`${files[i]}: no key of the log verifies it`);
  report.checked += signed.length; // The log's keys share its name; each that signed is enough.
  for (const place of placesRead(file, signed[0])) {
    const altered = Buffer.from(file);
    altered[place] ^= 1;
    count(holds(signed[0], altered, leaf),
      () => isDeepStrictEqual(meaning(altered, signed[0]), meaning(file, signed[0])));
  }
  for (let place = 0; place < leaf.length; place++) {
    const altered = Buffer.from(leaf);
    altered[place] ^= 1;
    count(holds(signed[0], file, altered), () => false);
  }
}
console.log(JSON.stringify(report));
