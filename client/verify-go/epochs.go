package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
)

// Epochs: a network whose set of validators changed (docs/formats/epoch_chain.md). From the policy
// that its reader pinned, each anchor of an epoch chain leads to the policy of the next epoch:
//
//	"vigil/epoch-chain/v1" 00 | u32 count | per anchor, of the ends of epochs 1, 2 ...:
//	prefixed seal | u32 hashes, path to the root | prefixed checkpoint | prefixed next set
//	| prefixed addresses
//
//	a set: "vigil/validator-set/v1" 00 | u32 count | per validator: prefixed "<org>/<name>",
//	consensus, log, cosigner and record key, reveal anchor, u64, 16 bytes of journal id

// An epoch is the policy that judges its heads and, once it is over, how large they may be.
type epoch struct {
	number uint64
	policy policy
	over   bool
	size   uint64
}

type anchor struct {
	leaf
	note, set, addresses []byte
}

// chainID follows from the genesis hash that an origin ends with.
func chainID(origin string) hash {
	genesis, err := hex.DecodeString(origin[strings.LastIndex(origin, "/")+1:])
	require(err == nil && len(genesis) == 32 && strings.HasSuffix(origin, "/"+hex.EncodeToString(genesis)),
		"MALFORMED", "the origin does not end with a genesis hash")
	return tagged("vigil/chain-id/v1", genesis)
}

func cosignerEpoch(origin, name string) (uint64, bool) {
	rest, found := strings.CutPrefix(name, origin+"/v/")
	slash := strings.LastIndex(rest, "/")
	if !found || slash < 0 {
		return 0, false
	}
	return decimal(rest[slash+1:], math.MaxUint64)
}

// validators finds the policy's log, its validators' epoch, the group of exactly them, and the
// policy that asks for nobody else.
func (p *policy) validators() (origin string, number uint64, members group, alone policy) {
	for _, k := range p.keys {
		require(k.kind != 1 || origin == "" || origin == k.vkeyName, "POLICY", "a policy of two logs")
		if k.kind == 1 {
			origin = k.vkeyName
		}
	}
	names := map[string]bool{}
	for _, k := range p.keys {
		n, isValidator := cosignerEpoch(origin, k.vkeyName)
		if isValidator = isValidator && k.kind == 4; isValidator {
			require(n > 0 && (number == 0 || n == number), "POLICY", "a policy of several epochs")
			number, names[k.name] = n, true
		}
		if isValidator || k.kind == 1 {
			alone.keys = append(alone.keys, k)
		}
	}
	for _, g := range p.groups {
		all := len(g.members) == len(names)
		for _, m := range g.members {
			all = all && names[m]
		}
		if all {
			require(g.threshold == uint64(len(names)/2+1), "POLICY", "%d of %d validators are not how they decide", g.threshold, len(names))
			alone.groups, alone.quorum = []group{g}, g.name
			return origin, number, g, alone
		}
	}
	require(false, "POLICY", "no group of all validators of one epoch and nobody else")
	return
}

// next is the policy with the validators of `set` in the place of its own.
func (p *policy) next(origin string, number uint64, old group, set []byte) (q policy) {
	r, was, fresh := &reader{set}, map[string]bool{}, map[string]bool{}
	require(bytes.HasPrefix(set, []byte("vigil/validator-set/v1\x00")), "MALFORMED", "no validator set")
	r.take(23)
	count, members := r.u32(), []string{}
	require(count >= 1 && count <= 7, "MALFORMED", "%d validators", count)
	add := func(kind byte, vkeyName, name string, public []byte) {
		id := sum([]byte(vkeyName+"\n"), []byte{kind}, public)
		q.keys = append(q.keys, key{vkeyName, name, kind, (&reader{id[:4]}).u32(), public})
		fresh[name], fresh[strconv.Itoa(int(kind))+string(public)] = true, true
	}
	for ; count > 0; count-- {
		name := string(r.prefixed(129))
		r.take(32)
		add(1, origin, "", r.take(32))
		add(4, origin+"/v/"+name+"/"+strconv.FormatUint(number, 10), name, r.take(32))
		r.take(32 + 32 + 8 + 16)
		members = append(members, name)
	}
	require(len(r.rest) == 0, "MALFORMED", "the validator set ends too late")
	for _, m := range old.members {
		was[m] = true
	}
	for _, k := range p.keys {
		if k.kind == 4 && !was[k.name] {
			require(!fresh[k.name] && !fresh["4"+string(k.public)], "MALFORMED", "a validator with name or key of witness %s", k.name)
			q.keys = append(q.keys, k)
		}
	}
	for _, g := range p.groups {
		require(!fresh[g.name], "MALFORMED", "a validator with the name of group %s", g.name)
		if g.name == old.name {
			g = group{g.name, uint64(len(members)/2 + 1), members}
		}
		q.groups = append(q.groups, g)
	}
	q.quorum = p.quorum
	return q
}

func checkAddresses(text string, count int) {
	parts := strings.Split(text, ",")
	require(text == "" || len(parts) == count, "MALFORMED", "%d addresses of %d validators", len(parts), count)
	for _, part := range parts {
		colon := strings.LastIndex(part, ":")
		port, err := strconv.ParseUint(part[colon+1:], 10, 16)
		printable := strings.IndexFunc(part, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
		require(part == "" || (colon > 0 && err == nil && port > 0 && printable), "MALFORMED", "no address: %q", part)
	}
}

// readEpochs walks an epoch chain from the pinned policy. Refused with POLICY: a policy that does
// not lead on.
func readEpochs(pinned policy, file []byte) (epochs []epoch, refused *refusal) {
	defer catch(&refused)
	_, first, _, _ := pinned.validators()
	epochs = []epoch{{number: first, policy: pinned}}
	r, anchors := &reader{file}, []anchor{}
	require(len(file) <= 32<<20 && string(r.take(21)) == "vigil/epoch-chain/v1\x00", "MALFORMED", "no epoch chain")
	count := r.u32()
	require(count <= 4096, "MALFORMED", "%d anchors", count)
	for ; count > 0; count-- {
		a := anchor{leaf: leaf{bytes: r.prefixed(400)}}
		hashes := r.u32()
		require(hashes <= 64, "MALFORMED", "a path of %d hashes", hashes)
		for ; hashes > 0; hashes-- {
			a.path = append(a.path, r.hash())
		}
		a.note, a.set, a.addresses = r.prefixed(32<<10), r.prefixed(32<<10), r.prefixed(32<<10)
		anchors = append(anchors, a)
	}
	require(len(r.rest) == 0, "MALFORMED", "the epoch chain ends too late")
	height, size, set := uint64(0), uint64(0), []byte(nil)
	for i := first - 1; i < uint64(len(anchors)); i++ {
		a, e := anchors[i], &epochs[len(epochs)-1]
		origin, number, members, alone := e.policy.validators()
		require(len(a.bytes) == 400 && bytes.HasPrefix(a.bytes, []byte{1, 25, 0, 0, 1, 138, 0, 1}), "MALFORMED", "not a seal")
		policy := e.policy.next(origin, number+1, members, a.set)
		header, tail := reader{a.bytes[6+34:]}, reader{a.bytes[388:]}
		genesis := chainID(origin)
		own, next := a.bytes[6+242:][:32], a.bytes[6+274:][:32]
		hashOfSet := sum(a.set)
		sealEpoch := header.u64()
		header.u64()
		sealHeight := header.u64()
		require(bytes.Equal(a.bytes[8:40], genesis[:]) && sealEpoch == number && sealHeight > height, "MALFORMED", "the seal of height %d is not of epoch %d", sealHeight, number)
		require(set == nil || bytes.Equal(own, set), "MALFORMED", "the seal is of another set than epoch %d", number)
		require(!bytes.Equal(own, next) && bytes.Equal(next, hashOfSet[:]), "MALFORMED", "the seal names another next set")
		checkAddresses(string(a.addresses), len(policy.groupOf(members.name).members))
		head := readCheckpoint(string(a.note))
		alone.checkHead(&head, func(string, any) {})
		index := tail.u64() + uint64(tail.u32())
		require(index >= size && head.size == index+1 && included(index, index+1, leafHash(a.bytes), a.path, head.root), "MALFORMED", "the checkpoint is not of the end of epoch %d", number)
		height, size, set = sealHeight, index+1, next
		e.over, e.size = true, size
		epochs = append(epochs, epoch{number: number + 1, policy: policy})
	}
	return epochs, nil
}

func (p *policy) groupOf(name string) (found group) {
	for _, g := range p.groups {
		if g.name == name {
			found = g
		}
	}
	return found
}

// judge decides which epoch a checkpoint is of: the newest that its lines name and that is
// satisfied with it. Past its end an epoch's word does not count.
func judge(epochs []epoch, c *checkpoint, fact func(string, any)) {
	named, unknown, revoked := []uint64{}, false, false
	for _, s := range c.lines {
		if n, ok := cosignerEpoch(c.origin, s.name); ok {
			named = append(named, n)
		}
	}
	sort.Slice(named, func(i, j int) bool { return named[i] > named[j] })
	var short *refusal
	for _, n := range named {
		at := n - epochs[0].number
		if n < epochs[0].number || at >= uint64(len(epochs)) {
			unknown = true
			continue
		}
		refused := func() (refused *refusal) {
			defer catch(&refused)
			epochs[at].policy.checkHead(c, func(string, any) {})
			return nil
		}()
		if refused == nil && (!epochs[at].over || c.size <= epochs[at].size) {
			epochs[at].policy.checkHead(c, fact)
			return
		}
		revoked = revoked || refused == nil
		if short == nil {
			short = refused
		}
	}
	require(!revoked, "KEY_REVOKED", "signed by the validators of an epoch that was over by then")
	require(!unknown, "UNKNOWN_EPOCH", "signed in an epoch that the chain does not reach")
	if short != nil {
		panic(*short)
	}
	epochs[len(epochs)-1].policy.checkHead(c, fact)
}

func usage(why ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"usage: vigil-verify FILE --policy POLICY [--epochs CHAIN]"}, why...)...)
	os.Exit(2)
}

// withEpochs is what judges heads under a policy and the epoch chain in a file. A chain that does
// not hold refuses whatever is asked.
func withEpochs(pol policy, path string) func(*checkpoint, func(string, any)) {
	chain, err := os.ReadFile(path)
	epochs, bad := readEpochs(pol, chain)
	if err != nil || (bad != nil && bad.verdict == "POLICY") {
		usage("epochs:", err, bad)
	}
	return func(c *checkpoint, fact func(string, any)) {
		if bad != nil {
			panic(*bad)
		}
		judge(epochs, c, fact)
	}
}
