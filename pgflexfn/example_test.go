package pgflexfn_test

import (
	"context"
	"fmt"
	"os"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/pgflexfn"
)

func Example() {
	store, err := pgflexfn.New(os.Getenv("DATABASE_URL")) // the database may come later
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.CreateTable(context.Background()); err != nil { // if the database user may create tables
		fmt.Println(err)
		return
	}
	config := flexfn.FromEnv()
	config.Store = store
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.Routes())
}
