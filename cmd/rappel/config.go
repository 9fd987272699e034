package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// configure gives every flag that was not set on the command line its value
// from the environment (RAPPEL_LOG_LEVEL for --log-level) or, failing that,
// from the YAML file of --config. Keys are flag names; a section named after a
// command holds that command's flags. Unknown keys are refused.
func configure(cmd *cobra.Command, _ []string) error {
	k := koanf.New(".")
	path, _ := cmd.Flags().GetString("config")
	if path == "" {
		path = os.Getenv("RAPPEL_CONFIG")
	}
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return usage(fmt.Errorf("config: %w", err))
		}
		var tree map[string]any
		if err := yaml.Unmarshal(b, &tree); err != nil {
			return usage(fmt.Errorf("config %s: %w", path, err))
		}
		if err := k.Load(treeProvider(tree), nil); err != nil {
			return usage(fmt.Errorf("config %s: %w", path, err))
		}
		if err := knownKeys(cmd.Root(), tree, ""); err != nil {
			return usage(fmt.Errorf("config %s: %w", path, err))
		}
	}
	section := strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), " ", ".")
	var fault error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" || fault != nil {
			return
		}
		value, ok := os.LookupEnv("RAPPEL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
		for _, key := range []string{section + "." + f.Name, f.Name} {
			if !ok && k.Exists(key) {
				value, ok = strings.Trim(fmt.Sprint(k.Get(key)), "[]"), true
				if list, isList := k.Get(key).([]any); isList {
					parts := make([]string, len(list))
					for i, v := range list {
						parts[i] = fmt.Sprint(v)
					}
					value = strings.Join(parts, ",")
				}
			}
		}
		if ok {
			if err := f.Value.Set(value); err != nil {
				fault = fmt.Errorf("--%s: %w", f.Name, err)
				return
			}
			f.Changed = true
		}
	})
	if fault != nil {
		return usage(fault)
	}
	name, _ := cmd.Flags().GetString("log-level")
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return usage(fmt.Errorf("--log-level: %q is none of debug, info, warn, error", name))
	}
	if format, _ := cmd.Flags().GetString("log-format"); format != "text" && format != "json" {
		return usage(fmt.Errorf("--log-format: %q is neither text nor json", format))
	}
	return nil
}

// treeProvider hands a parsed YAML tree to koanf.
type treeProvider map[string]any

// ReadBytes is not used: the tree is parsed already.
func (t treeProvider) ReadBytes() ([]byte, error) { return yaml.Marshal(map[string]any(t)) }

// Read returns the tree.
func (t treeProvider) Read() (map[string]any, error) { return t, nil }

// knownKeys refuses keys that are neither a flag of cmd or one of its
// commands nor the name of a command.
func knownKeys(cmd *cobra.Command, tree map[string]any, path string) error {
	for key, value := range tree {
		var sub *cobra.Command
		for _, c := range cmd.Commands() {
			if c.Name() == key {
				sub = c
			}
		}
		section, isSection := value.(map[string]any)
		if sub != nil && isSection {
			if err := knownKeys(sub, section, path+key+"."); err != nil {
				return err
			}
			continue
		}
		if !hasFlag(cmd, key) {
			return fmt.Errorf("unknown key %q", path+key)
		}
	}
	return nil
}

func hasFlag(cmd *cobra.Command, name string) bool {
	if cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, c := range cmd.Commands() {
		if hasFlag(c, name) {
			return true
		}
	}
	return false
}
