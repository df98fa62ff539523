module github.com/flexfn/flexfn/redisflexfn

go 1.26.0

require (
	github.com/flexfn/flexfn v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/maypok86/otter/v2 v2.4.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/flexfn/flexfn => ..
