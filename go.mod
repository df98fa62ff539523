module github.com/flexfn/flexfn

go 1.26
