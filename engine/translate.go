package engine

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// In returns the decision with its reasons and constraints in another language:
// nl, fr, or else English. A decision is logged in the language in which it was
// asked for, and read by people who speak others.
func (d *Decision) In(language string) *Decision {
	to, out := tongueOf(language), *d
	out.Reasons, out.Constraints = slices.Clone(d.Reasons), slices.Clone(d.Constraints)
	for i := range out.Reasons {
		out.Reasons[i].Text = translate(out.Reasons[i].Code, out.Reasons[i].Text, to)
	}
	for i := range out.Constraints {
		out.Constraints[i].Text = translate(out.Constraints[i].Code, out.Constraints[i].Text, to)
	}
	return &out
}

// In returns what the happening says in another language.
func (h *Happening) In(language string) string { return translate(h.Code, h.Text, tongueOf(language)) }

// verb is a place in a sentence for an argument.
var verb = regexp.MustCompile(`%(?:\.\d)?\[(\d)\](?:\.\d)?[sdf]|%%`)

// pattern is a sentence that can be read: its arguments, by group.
type pattern struct {
	*regexp.Regexp
	args []string // the numbers of the arguments
}

// patterns are the sentences of each language, made once.
var patterns = sync.OnceValue(func() map[string][3]pattern {
	made := map[string][3]pattern{}
	for key, list := range sentences {
		var all [3]pattern
		for t, s := range list {
			var b strings.Builder
			b.WriteByte('^')
			last := 0
			for _, m := range verb.FindAllStringSubmatchIndex(s, -1) {
				b.WriteString(regexp.QuoteMeta(s[last:m[0]]))
				if last = m[1]; m[2] < 0 {
					b.WriteByte('%')
					continue
				}
				b.WriteString("(.+?)")
				all[t].args = append(all[t].args, s[m[2]:m[3]])
			}
			b.WriteString(regexp.QuoteMeta(s[last:]) + "$")
			all[t].Regexp = regexp.MustCompile(b.String())
		}
		made[key] = all
	}
	return made
})

// translate says in a language what text, the words of a code in any of them,
// says. A text that is no sentence of the code stays as it is.
func translate(code, text string, to tongue) string {
	key := code
	for sentences[key] == [3]string{} {
		i := strings.LastIndexByte(key, '_') // what follows names a channel, a tone, a part of the day
		if i < 0 {
			return text
		}
		key = key[:i]
	}
	for from, p := range patterns()[key] {
		found := p.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		return verb.ReplaceAllStringFunc(sentences[key][to], func(v string) string {
			m := verb.FindStringSubmatch(v)
			if m[1] == "" {
				return "%"
			}
			arg := found[1+slices.Index(p.args, m[1])]
			if i := slices.Index(channelWords[from][:], arg); i >= 0 {
				return channelWords[to][i]
			}
			if i := slices.Index(toneWords[from][:], arg); i >= 0 {
				return toneWords[to][i]
			}
			return arg
		})
	}
	return text
}
