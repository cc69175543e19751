// Command identity answers questions about EKS authentication with the code of the real authenticator,
// sigs.k8s.io/aws-iam-authenticator: one JSON object per line in, one per line out, in the same order.
//
// Nothing leaves the machine. The webhook server and a stand-in for EC2 listen on loopback; what the authenticator
// sends to STS and to the Kubernetes API is answered inside this process (see stubs.go).
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/metrics"
)

// question is the union of all kinds; each kind reads its own fields. Questions and answers together have the shape of
// the vectors in fixtures/conformance/identity.
type question struct {
	ID   json.RawMessage `json:"id"`
	Kind string          `json:"kind"`

	// canonicalize, strip-path, arn-like
	ARN     string `json:"arn"`
	Pattern string `json:"pattern"`

	// aws-auth
	Data map[string]string `json:"data"`

	mappingQuestion
	tokenQuestion
}

type answer = map[string]any

func main() {
	// A clock that can be set comes only with package testing/synctest, and that works only in a test (see token.go).
	// So this program runs as one test, and what package testing prints goes to standard error.
	out := os.Stdout
	os.Stdout = os.Stderr
	program := func(t *testing.T) {
		if err := run(t, os.Stdin, out); err != nil {
			t.Fatal(err)
		}
	}
	every := func(string, string) (bool, error) { return true, nil }
	testing.Main(every, []testing.InternalTest{{Name: "identity", F: program}}, nil, nil)
}

func run(t *testing.T, in io.Reader, out io.Writer) error {
	metrics.InitMetrics(prometheus.NewRegistry())
	logrus.SetOutput(io.Discard)
	logrus.StandardLogger().ExitFunc = func(int) { panic("the authenticator exits") }
	servers, err := newServers()
	if err != nil {
		return err
	}
	defer servers.remove()

	lines := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	answers := bufio.NewWriter(out)
	encoder := json.NewEncoder(answers)
	encoder.SetEscapeHTML(false)
	for {
		var q question
		if err := lines.Decode(&q); errors.Is(err, io.EOF) {
			return answers.Flush()
		} else if err != nil {
			return fmt.Errorf("question: %w", err)
		}
		a := reply(t, servers, &q)
		a["id"] = q.ID
		if err := encoder.Encode(a); err != nil {
			return fmt.Errorf("answer %s: %w", q.ID, err)
		}
	}
}

func reply(t *testing.T, servers *servers, q *question) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{"failed": fmt.Sprint(p)}
		}
	}()
	switch q.Kind {
	case "canonicalize":
		return canonicalize(q.ARN)
	case "strip-path":
		stripped, err := arn.StripPath(q.ARN)
		if err != nil {
			return answer{"error": err.Error()}
		}
		return answer{"stripped": stripped}
	case "arn-like":
		match, err := arn.ArnLike(q.ARN, q.Pattern)
		if err != nil {
			return answer{"match": match, "error": err.Error()}
		}
		return answer{"match": match}
	case "aws-auth":
		return parseConfigMap(q.Data)
	case "mapping":
		return servers.mapIdentity(q)
	case "token":
		return verifyToken(t, &q.tokenQuestion)
	}
	return answer{"failed": fmt.Sprintf("unknown kind %q", q.Kind)}
}

func canonicalize(text string) answer {
	principal, canonical, err := arn.Canonicalize(text)
	if err != nil {
		return answer{"error": err.Error()}
	}
	names := map[arn.PrincipalType]string{
		arn.ROLE: "role", arn.USER: "user", arn.ROOT: "root",
		arn.FEDERATED_USER: "federated-user", arn.ASSUMED_ROLE: "assumed-role",
	}
	return answer{"canonical": canonical, "principalType": names[principal]}
}
