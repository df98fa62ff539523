package storetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/testing/syncbuf"
)

// Postgres is a PostgreSQL server for a test, from the system's packages.
type Postgres struct {
	t            testing.TB
	bin, dir     string
	Port         string
	run          *exec.Cmd
	uid, gid     int
	asAnotherOne bool // run as another user: a server refuses to run as root
}

// StartPostgres starts a server that ends with the test. It fails the test if
// PostgreSQL is not installed.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, filepath.Dir(path))
	}
	if len(found) == 0 {
		t.Fatal("PostgreSQL is missing: install it (apt-get install postgresql)")
	}
	p := &Postgres{t: t, bin: found[len(found)-1]}
	var err error
	if p.dir, err = os.MkdirTemp("", "flexfn-pg"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
	if os.Getuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			t.Fatalf("the tests run as root, and PostgreSQL cannot: %v", err)
		}
		p.asAnotherOne = true
		p.uid, _ = strconv.Atoi(who.Uid)
		p.gid, _ = strconv.Atoi(who.Gid)
		if err := os.Chown(p.dir, p.uid, p.gid); err != nil {
			t.Fatal(err)
		}
	}
	password := filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte("right-password"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := p.command("initdb", "-D", filepath.Join(p.dir, "data"), "-U", "flex", "-A", "scram-sha-256", "--pwfile", password, "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, p.Port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	p.Start()
	t.Cleanup(p.Kill)
	return p
}

func (p *Postgres) command(name string, arguments ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), arguments...)
	c.Dir = p.dir
	if p.asAnotherOne {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.gid)}}
	}
	return c
}

// Start starts the server again after [Postgres.Kill].
func (p *Postgres) Start() {
	p.t.Helper()
	p.run = p.command("postgres", "-D", filepath.Join(p.dir, "data"), "-p", p.Port, "-k", p.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=120")
	var log syncbuf.Buffer
	p.run.Stderr = &log
	if err := p.run.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 600 {
		if log.Count("ready to accept connections") > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.Kill() // so that the log is complete
	p.t.Fatalf("PostgreSQL does not answer: %s", log.String())
}

// Kill ends the server as a crash would.
func (p *Postgres) Kill() {
	_ = p.run.Process.Signal(syscall.SIGQUIT) // immediate shutdown; the next start recovers
	_ = p.run.Wait()
}

// Signal sends the server's main process a signal.
func (p *Postgres) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.run.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// URL returns the URL of the database postgres.
func (p *Postgres) URL() string { return PostgresURL(p.Port, "right-password") }

// PostgresURL returns the URL of a server started with [StartPostgres].
func PostgresURL(port, password string) string {
	return fmt.Sprintf("postgres://flex:%s@127.0.0.1:%s/postgres?pool_max_conns=4", password, port)
}
