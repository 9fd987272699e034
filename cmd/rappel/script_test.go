package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rappel/models"
)

// TestMain lets the scripts call this binary as rappel.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rappel": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts plays what a person types, with what is answered.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"address": address, "envfile": envfile, "await": await, "load": load, "unload": unload, "decide": decide, "modelid": modelID,
	}})
}

// address sets a variable to an address of this machine that is free.
func address(ts *testscript.TestScript, _ bool, args []string) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// envfile sets a variable to what a file holds.
func envfile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// modelID sets a variable to the id of an artefact.
func modelID(ts *testscript.TestScript, _ bool, args []string) {
	man, err := models.ReadManifest(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Setenv(args[0], man.ID)
}

// await waits until a server is ready.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 600 {
		resp, err := http.Get("http://" + args[0] + "/readyz")
		if err == nil {
			ts.Check(resp.Body.Close())
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s is not ready", args[0])
}

// post asks a server as a script's load and decide do.
func post(address, key, path string, body map[string]any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var said bytes.Buffer
	if _, err := said.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", path, resp.StatusCode, said.String())
	}
	return nil
}

// decide learns and asks for all overdue debtors of a creditor as of some
// moments: decide ADDRESS KEY CREDITOR TIME...
func decide(ts *testscript.TestScript, _ bool, args []string) {
	for _, at := range args[3:] {
		ts.Check(post(args[0], args[1], "/v1/learn", map[string]any{"creditor_id": args[2], "as_of": at}))
		ts.Check(post(args[0], args[1], "/v1/recommendations/batch", map[string]any{
			"creditor_id": args[2], "debtor_ids": "all_overdue", "as_of": at,
		}))
	}
}

// loads are requests under way, by address.
var loads sync.Map

type underWay struct {
	stop  chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	asked int
	fault error
}

// load asks for one debtor over and over, from now until unload:
// load ADDRESS KEY CREDITOR DEBTOR TIME.
func load(_ *testscript.TestScript, _ bool, args []string) {
	u := &underWay{stop: make(chan struct{})}
	loads.Store(args[0], u)
	for range 2 {
		u.done.Go(func() {
			for {
				select {
				case <-u.stop:
					return
				case <-time.After(10 * time.Millisecond): // the machine is the server's, too
				}
				err := post(args[0], args[1], "/v1/recommendations", map[string]any{"creditor_id": args[2], "debtor_id": args[3], "as_of": args[4]})
				u.mu.Lock()
				u.asked++
				if err != nil && u.fault == nil {
					u.fault = err
				}
				u.mu.Unlock()
			}
		})
	}
}

// unload ends the load of an address and fails where any request did.
func unload(ts *testscript.TestScript, _ bool, args []string) {
	v, ok := loads.LoadAndDelete(args[0])
	if !ok {
		ts.Fatalf("no load on %s", args[0])
	}
	u := v.(*underWay)
	close(u.stop)
	u.done.Wait()
	ts.Logf("%d requests", u.asked)
	if u.fault != nil || u.asked == 0 {
		ts.Fatalf("of %d requests: %v", u.asked, u.fault)
	}
}
