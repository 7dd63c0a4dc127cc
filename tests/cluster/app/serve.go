package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	slowestAnswer  = time.Minute
	longestDrain   = time.Minute
	crashStatus    = 3
	memoryStep     = 4 << 20
	memoryHighest  = 2 << 30 // without a limit on the container the machine must survive
	pageSize       = 4096
	memoryInterval = 2 * time.Millisecond
)

// service is one running replica.
type service struct {
	*Behaviour
	started  time.Time
	draining atomic.Bool
	figures  figures
}

func serve(behaviour *Behaviour) error {
	s := &service{Behaviour: behaviour, started: time.Now()}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	s.misbehaveLater()
	time.Sleep(s.startDelay)
	listener, err := net.Listen("tcp", ":"+s.port)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: slowestAnswer}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logLine("info", "serving", fields{"version": s.version, "colour": s.colour, "port": s.port})
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	return s.drain(server)
}

// drain still accepts for the shutdown delay, telling each caller to connect elsewhere, then finishes what it has.
func (s *service) drain(server *http.Server) error {
	s.draining.Store(true)
	logLine("info", "stopping", fields{"version": s.version, "in_flight": s.figures.inFlight.Load()})
	time.Sleep(s.shutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), longestDrain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were cut off: %w", err)
	}
	logLine("info", "stopped", fields{"version": s.version})
	return nil
}

func (s *service) misbehaveLater() {
	if s.crashAfter > 0 {
		time.AfterFunc(s.crashAfter, func() {
			logLine("error", "crashing as told", fields{"version": s.version})
			os.Exit(crashStatus)
		})
	}
	if s.outOfMemory == "start" {
		go takeAllMemory()
	} else if after, err := strconv.ParseFloat(s.outOfMemory, 64); err == nil {
		time.AfterFunc(time.Duration(after*float64(time.Second)), takeAllMemory)
	}
}

// takeAllMemory allocates until the container's limit ends the process.
func takeAllMemory() {
	blocks := [][]byte{}
	for taken := 0; taken < memoryHighest; taken += memoryStep {
		block := make([]byte, memoryStep)
		for at := 0; at < len(block); at += pageSize {
			block[at] = 1
		}
		blocks = append(blocks, block)
		time.Sleep(memoryInterval)
	}
	logLine("error", "no memory limit stopped this", fields{"blocks": len(blocks)})
	os.Exit(crashStatus)
}

func (s *service) healthy() error {
	if s.deadAfter > 0 && time.Since(s.started) > s.deadAfter {
		return errors.New("dead as told")
	}
	return nil
}

func (s *service) ready() error {
	switch {
	case s.neverReady:
		return errors.New("never ready as told")
	case s.draining.Load():
		return errors.New("stopping")
	}
	return s.healthy()
}
