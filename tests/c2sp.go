// c2sp.go - a checkpoint and its log, checked by a verifier that we did not
// write: the note and tlog packages of Go's module mirror, as Debian ships
// them (golang-golang-x-mod-dev).
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run c2sp.go VKEY NOTE SEGMENT...
//
//	... VKEY PROOF -proof
//
// Says `ok SIZE ROOT`, or what does not hold, with status 1.  The second form
// checks a tlog-proof without any log.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func stop(format string, args ...interface{}) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

// storage keeps the hashes of the tree in the order that tlog defines.
type storage []tlog.Hash

func (s storage) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at < 0 || at >= int64(len(s)) {
			return nil, fmt.Errorf("no hash %d", at)
		}
		out[i] = s[at]
	}
	return out, nil
}

// leaves adds the entry lines of a segment, up to size in all.
func leaves(s storage, n, size int64, path string) (storage, int64) {
	f, err := os.Open(path)
	if err != nil {
		stop("%v", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 32<<20)
	for n < size && lines.Scan() {
		if !strings.HasPrefix(lines.Text(), `{"seq":`) {
			continue
		}
		hashes, err := tlog.StoredHashes(n, lines.Bytes(), s)
		if err != nil {
			stop("leaf %d: %v", n, err)
		}
		s = append(s, hashes...)
		n++
	}
	if err := lines.Err(); err != nil {
		stop("%s: %v", path, err)
	}
	return s, n
}

// proof checks an inclusion proof with the entry in its extra line.
func proof(verifier note.Verifier, text []byte) {
	head, rest, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		stop("not a tlog-proof")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		stop("extra: %v", err)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		stop("index: %v", err)
	}
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			stop("hash: %v", err)
		}
		path = append(path, hash)
	}
	opened, err := note.Open([]byte(rest), note.VerifierList(verifier))
	if err != nil {
		stop("the note: %v", err)
	}
	var origin, root string
	var size int64
	if _, err := fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root); err != nil {
		stop("the checkpoint: %v", err)
	}
	tree, err := tlog.ParseHash(root)
	if err != nil {
		stop("the root: %v", err)
	}
	if err := tlog.CheckRecord(path, size, tree, index, tlog.RecordHash(entry)); err != nil {
		stop("the proof: %v", err)
	}
	fmt.Printf("ok %d %s\n", size, root)
}

func main() {
	if len(os.Args) < 4 {
		stop("usage: c2sp VKEY NOTE SEGMENT...")
	}
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		stop("the verifier key: %v", err)
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		stop("%v", err)
	}
	if os.Args[3] == "-proof" {
		proof(verifier, text)
		return
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		stop("the note: %v", err)
	}
	var origin, root string
	var size, n int64
	if _, err := fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root); err != nil {
		stop("the checkpoint: %v", err)
	}
	if origin != verifier.Name() {
		stop("origin %s, key %s", origin, verifier.Name())
	}
	var s storage
	for _, path := range os.Args[3:] {
		s, n = leaves(s, n, size, path)
	}
	if n != size {
		stop("%d entries instead of %d", n, size)
	}
	hash, err := tlog.TreeHash(size, s)
	if err != nil {
		stop("the tree: %v", err)
	}
	if hash.String() != root {
		stop("root %s, signed %s", hash, root)
	}
	fmt.Printf("ok %d %s\n", size, root)
}
