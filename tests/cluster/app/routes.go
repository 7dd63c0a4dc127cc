package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// colourHeader is how a service names its colour to who asks where no gateway does so.
const colourHeader = "X-Switchover-Colour"

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.counted(s.answer))
	mux.Handle("/sleep", s.counted(s.sleep))
	mux.Handle("/smoke", s.counted(s.smoke))
	mux.HandleFunc("/healthz", probe(s.healthy))
	mux.HandleFunc("/readyz", probe(s.ready))
	mux.HandleFunc("/metrics", s.metrics)
	mux.HandleFunc("/config", s.config)
	mux.HandleFunc("/log", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.URL.Query().Get("line")) })
	mux.HandleFunc("POST /oom", func(w http.ResponseWriter, _ *http.Request) {
		go takeAllMemory()
		w.WriteHeader(http.StatusAccepted)
	})
	return s.named(mux)
}

func (s *service) named(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.colour != "none" {
			w.Header().Set(colourHeader, s.colour)
		}
		handler.ServeHTTP(w, r)
	})
}

// counted measures, logs, and while the replica stops asks the caller not to use this connection again.
func (s *service) counted(handle func(http.ResponseWriter, *http.Request) int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		s.figures.inFlight.Add(1)
		defer s.figures.inFlight.Add(-1)
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		status := handle(w, r)
		took := time.Since(started)
		s.figures.count(status, took)
		s.logRequest(r, status, took)
	})
}

func (s *service) logRequest(r *http.Request, status int, took time.Duration) {
	level, message := "info", "request"
	if status >= http.StatusInternalServerError {
		level, message = "error", "request failed"
	} else if r.URL.Path == "/" && s.errorLines.next() {
		level, message = "error", "could not reach the warehouse"
	}
	if s.quiet && level == "info" {
		return
	}
	logLine(level, message, fields{
		"path": r.URL.Path, "status": status, "ms": took.Milliseconds(), "request_id": r.Header.Get("X-Request-Id"),
	})
}

func (s *service) answer(w http.ResponseWriter, r *http.Request) int {
	if s.outOfMemory == "request" {
		go takeAllMemory()
	}
	if s.slow.next() {
		time.Sleep(s.delay)
	}
	status := http.StatusOK
	if s.errors.next() {
		status = http.StatusInternalServerError
	}
	return writeJSON(w, status, s.identity(r))
}

func (s *service) sleep(w http.ResponseWriter, r *http.Request) int {
	milliseconds, err := strconv.Atoi(r.URL.Query().Get("ms"))
	wanted := time.Duration(milliseconds) * time.Millisecond
	if err != nil || wanted < 0 || wanted > slowestAnswer {
		return writeJSON(w, http.StatusBadRequest, fields{"error": fmt.Sprintf("ms is 0 to %d", slowestAnswer.Milliseconds())})
	}
	time.Sleep(wanted)
	return writeJSON(w, http.StatusOK, s.identity(r))
}

func (s *service) smoke(w http.ResponseWriter, r *http.Request) int {
	if s.smokeFails {
		return writeJSON(w, http.StatusInternalServerError, fields{"error": "failing as told", "version": s.version})
	}
	return writeJSON(w, http.StatusOK, s.identity(r))
}

func (s *service) identity(r *http.Request) fields {
	return fields{
		"version": s.version, "colour": s.colour, "pod": s.pod, "request_id": r.Header.Get("X-Request-Id"),
	}
}

func probe(state func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := state(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) int {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller that has gone away is no fault of this replica.
	_ = json.NewEncoder(w).Encode(value)
	return status
}
