package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// migrate runs one migration, named by its arguments (such as "expand 0007").
//
// MIGRATION_MS is how long it takes, MIGRATION_RECORD a file that gets one line for each run that went well, and
// MIGRATION_FAILS makes it fail after that time, with nothing recorded.
func migrate(arguments []string, getenv func(string) string) error {
	get := environment(getenv)
	mistakes := []string{}
	takes := time.Duration(get.number("MIGRATION_MS", 600_000, &mistakes) * float64(time.Millisecond))
	if len(mistakes) > 0 {
		return fmt.Errorf("the environment is wrong: %v", mistakes)
	}
	line := fields{"version": get.text("VERSION", "unknown"), "arguments": arguments}
	logLine("info", "migrating", line)
	time.Sleep(takes)
	if get.text("MIGRATION_FAILS", "") != "" {
		return errors.New("the migration fails as told: relation \"orders\" does not exist")
	}
	if path := get.text("MIGRATION_RECORD", ""); path != "" {
		if err := record(path, fmt.Sprintf("%s %v\n", get.text("VERSION", "unknown"), arguments)); err != nil {
			return err
		}
	}
	logLine("info", "migrated", line)
	return nil
}

func record(path, line string) (err error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.WriteString(line)
	return err
}
