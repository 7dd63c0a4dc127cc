package main

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Behaviour is what kind of release this is. Shares are between 0 and 1; what is not given is harmless.
type Behaviour struct {
	version, colour, pod string        // VERSION; SWITCHOVER_COLOUR, else COLOUR; POD_NAME
	port                 string        // PORT, 8080 unless given
	errors               *share        // ERROR_RATE: share of / that answers 500
	slow                 *share        // SLOW_RATE: share of / that takes DELAY_MS longer
	delay                time.Duration // DELAY_MS; alone it delays every request
	errorLines           *share        // LOG_ERROR_RATE: share of / that answers well and logs an error
	startDelay           time.Duration // START_DELAY_MS: until the port opens
	crashAfter           time.Duration // CRASH_AFTER_S: exits with status 3 so long after its start
	outOfMemory          string        // OOM: "start", "request" (the first /) or a number of seconds
	neverReady           bool          // NEVER_READY
	smokeFails           bool          // SMOKE_FAILS: /smoke answers 500
	deadAfter            time.Duration // DEAD_AFTER_S: /healthz answers 500 from then on
	shutdownDelay        time.Duration // SHUTDOWN_DELAY_MS: still accepts so long after SIGTERM
	quiet                bool          // QUIET: no log line for a request that went well
	configFolder         string        // CONFIG_FOLDER, shown by /config
	secretFolder         string        // SECRET_FOLDER, its digests shown by /config
}

// share picks evenly spread members of a sequence, so that even a hundred requests see the very share.
type share struct {
	rate float64
	seen atomic.Int64
}

func (s *share) next() bool {
	n := s.seen.Add(1)
	return int64(float64(n)*s.rate) > int64(float64(n-1)*s.rate)
}

type environment func(string) string

func (get environment) text(name, otherwise string) string {
	if value := get(name); value != "" {
		return value
	}
	return otherwise
}

func (get environment) number(name string, highest float64, mistakes *[]string) float64 {
	value := get.text(name, "0")
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || number < 0 || number > highest {
		*mistakes = append(*mistakes, fmt.Sprintf("%s=%q is no number between 0 and %v", name, value, highest))
	}
	return number
}

func readBehaviour(getenv func(string) string) (*Behaviour, error) {
	get := environment(getenv)
	mistakes := []string{}
	rate := func(name string) *share { return &share{rate: get.number(name, 1, &mistakes)} }
	milliseconds := func(name string) time.Duration {
		return time.Duration(get.number(name, 600_000, &mistakes) * float64(time.Millisecond))
	}
	seconds := func(name string) time.Duration {
		return time.Duration(get.number(name, 86_400, &mistakes) * float64(time.Second))
	}
	behaviour := &Behaviour{
		version:       get.text("VERSION", "unknown"),
		colour:        get.text("SWITCHOVER_COLOUR", get.text("COLOUR", "none")),
		pod:           get.text("POD_NAME", "none"),
		port:          get.text("PORT", "8080"),
		errors:        rate("ERROR_RATE"),
		slow:          rate("SLOW_RATE"),
		delay:         milliseconds("DELAY_MS"),
		errorLines:    rate("LOG_ERROR_RATE"),
		startDelay:    milliseconds("START_DELAY_MS"),
		crashAfter:    seconds("CRASH_AFTER_S"),
		outOfMemory:   get.text("OOM", ""),
		neverReady:    get.text("NEVER_READY", "") != "",
		smokeFails:    get.text("SMOKE_FAILS", "") != "",
		deadAfter:     seconds("DEAD_AFTER_S"),
		shutdownDelay: milliseconds("SHUTDOWN_DELAY_MS"),
		quiet:         get.text("QUIET", "") != "",
		configFolder:  get.text("CONFIG_FOLDER", "/etc/app/config"),
		secretFolder:  get.text("SECRET_FOLDER", "/etc/app/secret"),
	}
	if behaviour.slow.rate == 0 && behaviour.delay > 0 {
		behaviour.slow.rate = 1
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("the environment is wrong: %v", mistakes)
	}
	return behaviour, nil
}
