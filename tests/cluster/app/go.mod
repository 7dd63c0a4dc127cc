module switchover.test/app

go 1.24
