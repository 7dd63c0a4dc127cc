// The service under test: one static program whose environment says which kind of release it is.
//
//	app            serve (see behaviour.go for the environment)
//	app migrate    run a migration: record it, succeed or fail (see migrate.go)
package main

import (
	"fmt"
	"os"
)

func main() {
	command := "serve"
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	if err := run(command); err != nil {
		logLine("error", err.Error(), nil)
		os.Exit(1)
	}
}

func run(command string) error {
	switch command {
	case "serve":
		behaviour, err := readBehaviour(os.Getenv)
		if err != nil {
			return err
		}
		return serve(behaviour)
	case "migrate":
		return migrate(os.Args[2:], os.Getenv)
	default:
		return fmt.Errorf("unknown command %q: serve or migrate", command)
	}
}
