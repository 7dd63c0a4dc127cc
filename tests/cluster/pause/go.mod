module switchover.example/tests/cluster/pause

go 1.24
