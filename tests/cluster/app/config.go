package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// config shows what is mounted: the ConfigMap as it is, of the Secret only the digests.
func (s *service) config(w http.ResponseWriter, _ *http.Request) {
	shown := func(content []byte) string { return string(content) }
	digest := func(content []byte) string {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	}
	writeJSON(w, http.StatusOK, fields{
		"version": s.version,
		"colour":  s.colour,
		"config":  mounted(s.configFolder, shown),
		"secret":  mounted(s.secretFolder, digest),
	})
}

// mounted maps file names to what show makes of them; a folder that is not mounted has none.
func mounted(folder string, show func([]byte) string) map[string]string {
	found := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return found
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		// Kubernetes keeps its versions in hidden folders beside the links.
		if err == nil && !strings.HasPrefix(entry.Name(), ".") {
			found[entry.Name()] = show(content)
		}
	}
	return found
}
