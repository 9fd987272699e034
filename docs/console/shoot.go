//go:build ignore

// Shoot keeps a picture of each page of a running console:
//
//	go run docs/console/shoot.go URL USER PASSWORD DIR
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: shoot URL USER PASSWORD DIR")
	}
	url, user, password, dir := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	profile, err := os.MkdirTemp("", "shoot-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(profile)
	allocated, stop := chromedp.NewExecAllocator(context.Background(), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("accept-lang", "en-GB,en"), chromedp.UserDataDir(profile))
	defer stop()
	ctx, end := chromedp.NewContext(allocated)
	defer end()
	run := func(actions ...chromedp.Action) {
		if err := chromedp.Run(ctx, actions...); err != nil {
			log.Fatal(err)
		}
	}
	look := func(width, height int64, scheme string) {
		run(chromedp.EmulateViewport(width, height), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}))
	}
	look(1280, 900, "light")
	run(chromedp.Navigate(url+"/console/sign-in"), chromedp.SendKeys("[name=name]", user), chromedp.SendKeys("[name=password]", password),
		chromedp.Click("main form button"), chromedp.WaitVisible("nav.pages"))
	shoot := func(name, path string) {
		var png []byte
		run(chromedp.Navigate(url+path), chromedp.WaitReady("main"), chromedp.Sleep(2500*time.Millisecond), chromedp.CaptureScreenshot(&png))
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, len(png)/1024, "kB")
	}
	var debtor string
	run(chromedp.AttributeValue(".alert h3 a, #approvals a", "href", &debtor, nil, chromedp.ByQuery))
	debtor = strings.TrimPrefix(debtor, url)
	look(1280, 1000, "light")
	shoot("today", "/console/")
	look(1280, 1150, "light")
	shoot("debtor", debtor)
	look(1280, 640, "light")
	shoot("debtors", "/console/debtors")
	shoot("alerts", "/console/alerts")
	look(1280, 1500, "light")
	shoot("reports", "/console/reports")
	look(1280, 1000, "light")
	shoot("models", "/console/models")
	shoot("settings", "/console/settings")
	look(1280, 1000, "dark")
	shoot("today-dark", "/console/")
	look(390, 844, "light")
	shoot("today-phone", "/console/")
}
