module github.com/flexfn/flexfn/redisflexfn

go 1.26.0

require (
	github.com/flexfn/flexfn v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/beevik/etree v1.1.0 // indirect
	github.com/golang/mock v1.6.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/twilio/twilio-go v1.31.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/flexfn/flexfn => ..
