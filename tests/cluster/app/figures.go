package main

import (
	"fmt"
	"net/http"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

var bucketSeconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// figures are what /metrics shows.
type figures struct {
	inFlight atomic.Int64
	mutex    sync.Mutex
	statuses map[int]int64
	buckets  []int64
	seconds  float64
	requests int64
}

func (f *figures) count(status int, took time.Duration) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.statuses == nil {
		f.statuses = map[int]int64{}
		f.buckets = make([]int64, len(bucketSeconds))
	}
	f.statuses[status]++
	f.requests++
	f.seconds += took.Seconds()
	for i, upper := range bucketSeconds {
		if took.Seconds() <= upper {
			f.buckets[i]++
		}
	}
}

func (s *service) metrics(w http.ResponseWriter, _ *http.Request) {
	f := &s.figures
	f.mutex.Lock()
	defer f.mutex.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	label := fmt.Sprintf("version=%q,colour=%q", s.version, s.colour)
	fmt.Fprintln(w, "# TYPE http_requests_total counter")
	codes := []int{}
	for code := range f.statuses {
		codes = append(codes, code)
	}
	sort.Ints(codes)
	for _, code := range codes {
		fmt.Fprintf(w, "http_requests_total{%s,code=\"%d\"} %d\n", label, code, f.statuses[code])
	}
	fmt.Fprintln(w, "# TYPE http_request_duration_seconds histogram")
	for i, count := range f.buckets {
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{%s,le=\"%g\"} %d\n", label, bucketSeconds[i], count)
	}
	fmt.Fprintf(w, "http_request_duration_seconds_bucket{%s,le=\"+Inf\"} %d\n", label, f.requests)
	fmt.Fprintf(w, "http_request_duration_seconds_sum{%s} %g\n", label, f.seconds)
	fmt.Fprintf(w, "http_request_duration_seconds_count{%s} %d\n", label, f.requests)
	fmt.Fprintf(w, "# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight{%s} %d\n", label, f.inFlight.Load())
	fmt.Fprintf(w, "# TYPE build_info gauge\nbuild_info{%s} 1\n", label)
}
