package main

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

type fields map[string]any

var logMutex sync.Mutex

// logLine writes one JSON object a line: time, level, message, and what else is known.
func logLine(level, message string, more fields) {
	line := fields{"time": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "message": message}
	for name, value := range more {
		line[name] = value
	}
	logMutex.Lock()
	defer logMutex.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}
