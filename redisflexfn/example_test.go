package redisflexfn_test

import (
	"fmt"
	"os"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/redisflexfn"
)

func Example() {
	for name, value := range map[string]string{ // what the server's environment has
		"REDIS_URL": "redis://127.0.0.1:6379/0", "ACCOUNT_SID": "AC00000000000000000000000000000001", "AUTH_TOKEN": "0123456789abcdef",
	} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Println(err)
			return
		}
	}
	store, err := redisflexfn.New(os.Getenv("REDIS_URL")) // Redis may come later
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	config := flexfn.FromEnv()
	config.Store = store
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.Config().Store == store)
	// Output: true
}
