// c2sp.go - a checkpoint and its log, checked by a verifier that we did not
// write: the note and tlog packages of Go's module mirror, as Debian ships
// them (golang-golang-x-mod-dev).
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run c2sp.go VKEY NOTE SEGMENT...
//
// Says `ok SIZE ROOT`, or what does not hold, with status 1.
package main

import (
	"bufio"
	"fmt"
	"os"
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
