package redisflexfn_test

import (
	"fmt"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/redisflexfn"
)

func Example() {
	tokens, err := redisflexfn.New("redis://127.0.0.1:6379/0") // which may come later
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()
	_, err = flexfn.New(flexfn.Config{
		AccountSID:   "AC00000000000000000000000000000001",
		AuthToken:    "0123456789abcdef0123456789abcdef",
		SharedTokens: tokens,
	})
	fmt.Println(err)
	// Output: <nil>
}
