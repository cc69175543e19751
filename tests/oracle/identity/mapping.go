package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	authentication "k8s.io/api/authentication/v1beta1"
	"sigs.k8s.io/aws-iam-authenticator/pkg/arn"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper"
	"sigs.k8s.io/aws-iam-authenticator/pkg/server"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// askedWhenRandom is how often a question is asked whose answer depends on Go's random order of maps.
const askedWhenRandom = 200

// mappingQuestion is one login: the server's settings, its stores, and who STS says the caller is.
type mappingQuestion struct {
	settings
	AWSAuth         map[string]string `json:"awsAuth"` // null: there is no such ConfigMap
	DynamicFile     map[string]any    `json:"dynamicFile"`
	SSORoleMatch    bool              `json:"ssoRoleMatch"`
	PrivateDNSNames map[string]string `json:"privateDnsNames"`
	Identity        struct {
		ARN         string `json:"arn"`
		UniqueID    string `json:"uniqueId"`
		SessionName string `json:"sessionName"`
		Account     string `json:"account"`
		AccessKeyID string `json:"accessKeyId"`
	} `json:"identity"`
}

// settings are fixed when a server starts; questions with the same settings share one.
type settings struct {
	Backends         []string            `json:"backends"`
	UserIDStrict     bool                `json:"userIdStrict"`
	ReservedPrefixes map[string][]string `json:"reservedPrefixes"`
	MountedFile      struct {
		Roles    []config.RoleMapping `json:"mapRoles"`
		Users    []config.UserMapping `json:"mapUsers"`
		Accounts []string             `json:"mapAccounts"`
	} `json:"mountedFile"`
}

// servers holds the running webhook servers by their settings.
type servers struct {
	folder    string
	client    *http.Client
	transport *transport
	ec2       *ec2
	logs      *logs
	byKey     map[string]*webhook
	started   int
	loads     int
}

// webhook is one real server, reached as the API server reaches it: by HTTPS.
type webhook struct {
	url         string
	configMaps  *configMapWatch
	dynamicFile string
	stop        context.CancelFunc
	server      *server.Server
}

func newServers() (*servers, error) {
	folder, err := os.MkdirTemp("", "identity-oracle-")
	if err != nil {
		return nil, err
	}
	s := &servers{
		folder: folder,
		client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // our own loopback server
		}},
		transport: &transport{configMaps: map[string]*configMapWatch{}},
		ec2:       newEC2(),
		logs:      &logs{denial: make(chan error, 1), loaded: make(chan string, 16)},
		byKey:     map[string]*webhook{},
	}
	http.DefaultTransport = s.transport
	logrus.AddHook(s.logs)
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL_EC2": s.ec2.URL,
		"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *servers) remove() {
	s.ec2.Close()
	_ = os.RemoveAll(s.folder)
}

// mapIdentity loads the stores of one question and logs in, many times if the answer is random.
func (s *servers) mapIdentity(q *question) answer {
	config.SSORoleMatchEnabled = q.SSORoleMatch
	s.ec2.know(q.PrivateDNSNames)
	w, refusal := s.load(q)
	times := 1
	if _, canonical, err := arn.Canonicalize(q.Identity.ARN); err == nil && ambiguous(q.AWSAuth, strings.ToLower(canonical)) {
		times = askedWhenRandom
	}
	expect := oneOrAny(distinct(times, func() answer {
		a := s.logIn(w, &q.mappingQuestion)
		if message, _ := a["message"].(string); strings.Contains(message, "failed to find node") {
			// The authenticator counts an instance that EC2 does not know as a request in flight for ever: the next
			// question about it would wait.
			s.forget(q.settings)
			w, _ = s.load(q)
		}
		return a
	}))
	if refusal != "" {
		expect["loadError"] = refusal
	}
	return answer{"expect": expect}
}

// load brings the stores of a question into a server with its settings. The dynamic file may be refused.
func (s *servers) load(q *question) (w *webhook, refusal string) {
	w, err := s.server(q.settings)
	if err != nil {
		panic(err)
	}
	if slices.Contains(q.Backends, mapper.ModeEKSConfigMap) {
		if err := w.configMaps.load(q.AWSAuth); err != nil {
			panic(err)
		}
	}
	if w.dynamicFile != "" {
		s.loadEntries(w.dynamicFile, nil) // a file that is refused leaves the former entries in place
		refusal = s.loadEntries(w.dynamicFile, q.DynamicFile)
	}
	return w, refusal
}

// logIn sends a TokenReview whose token STS "confirms" to be the identity of the question.
func (s *servers) logIn(w *webhook, q *mappingQuestion) answer {
	userID := q.Identity.UniqueID
	if q.Identity.SessionName != "" {
		userID += ":" + q.Identity.SessionName
	}
	caller, err := json.Marshal(answer{"GetCallerIdentityResponse": answer{"GetCallerIdentityResult": answer{
		"Account": q.Identity.Account, "Arn": q.Identity.ARN, "UserId": userID,
	}}})
	if err != nil {
		panic(err)
	}
	s.transport.answerSTS(http.StatusOK, string(caller))
	review, err := json.Marshal(authentication.TokenReview{
		Spec: authentication.TokenReviewSpec{Token: goodToken(q.Identity.AccessKeyID)},
	})
	if err != nil {
		panic(err)
	}
	response, err := s.client.Post(w.url, "application/json", bytes.NewReader(review))
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		panic(err)
	}
	if response.StatusCode != http.StatusOK {
		reason := <-s.logs.denial
		return answer{"denied": denialKind(reason), "message": reason.Error()}
	}
	var done authentication.TokenReview
	if err := json.Unmarshal(body, &done); err != nil {
		panic(err)
	}
	return answer{"username": done.Status.User.Username, "groups": nonNil(done.Status.User.Groups)}
}

func goodToken(accessKeyID string) string {
	query := url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {"60"},
		"X-Amz-SignedHeaders": {"host;x-k8s-aws-id"}, "X-Amz-Date": {time.Now().UTC().Format("20060102T150405Z")},
		"X-Amz-Credential": {accessKeyID + "/20260101/us-west-2/sts/aws4_request"},
	}
	signed := "https://sts.us-west-2.amazonaws.com/?" + query.Encode()
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed))
}

// denialKind names the step that denied. The server wraps its errors as text only, hence by their fixed words.
func denialKind(err error) string {
	var format token.FormatError
	var sts token.STSError
	message := err.Error()
	switch {
	case errors.As(err, &format), errors.As(err, &sts):
		return "identity_rejected"
	case strings.Contains(message, "renderTemplates error: "):
		return "template_error"
	case strings.HasPrefix(message, "invalid username '"):
		return "reserved_prefix"
	case strings.Contains(message, "ARN does not match User ID"):
		return "userid_arn_mismatch"
	case message == "identity is not mapped":
		return "not_mapped"
	}
	panic("denial of unknown kind: " + message)
}

// loadEntries replaces the dynamic file in one write and waits until the authenticator has stored it, when it logs the
// file's version, or has refused it, when it logs the reason that is returned.
func (s *servers) loadEntries(path string, entries map[string]any) (refusal string) {
	content := answer{"LastUpdatedDateTime": "0"}
	for key, value := range entries {
		content[key] = value
	}
	for range 50 {
		s.loads++
		version := strconv.Itoa(s.loads)
		content["Version"] = version
		text, err := json.Marshal(content)
		if err != nil {
			panic(err)
		}
		if err := overwrite(path, text); err != nil {
			panic(err)
		}
		for waiting := true; waiting; {
			select {
			case got := <-s.logs.loaded:
				if reason, refused := strings.CutPrefix(got, "refused: "); refused {
					return reason
				}
				if got == version {
					return ""
				}
			case <-time.After(200 * time.Millisecond): // written before the authenticator watched the file
				waiting = false
			}
		}
	}
	panic(path + " was not read")
}

// overwrite never truncates, so that the file is complete at every moment: white space covers a longer former content.
func overwrite(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		if rest := info.Size() - int64(len(text)); rest > 0 {
			text = append(text, bytes.Repeat([]byte{' '}, int(rest))...)
		}
		_, err = file.WriteAt(text, 0)
	}
	return errors.Join(err, file.Close())
}

func (s *servers) server(wanted settings) (*webhook, error) {
	key := wanted.key()
	if w, ok := s.byKey[key]; ok {
		return w, nil
	}
	w, err := s.start(wanted)
	if err == nil {
		s.byKey[key] = w
	}
	return w, err
}

func (wanted settings) key() string {
	key, err := json.Marshal(wanted)
	if err != nil {
		panic(err)
	}
	return string(key)
}

func (s *servers) start(wanted settings) (*webhook, error) {
	s.started++
	host := fmt.Sprintf("kubernetes-%d.example", s.started)
	w := &webhook{configMaps: &configMapWatch{events: make(chan []byte)}}
	s.transport.mutex.Lock()
	s.transport.configMaps[host] = w.configMaps
	s.transport.mutex.Unlock()

	if slices.Contains(wanted.Backends, mapper.ModeDynamicFile) {
		w.dynamicFile = filepath.Join(s.folder, fmt.Sprintf("entries-%d.json", s.started))
		if err := os.WriteFile(w.dynamicFile, []byte("{}"), 0o600); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cfg := config.Config{
		PartitionID: "aws", ClusterID: "prod", Hostname: "localhost", Address: "127.0.0.1", HostPort: port,
		StateDir: s.folder, GenerateKubeconfigPath: filepath.Join(s.folder, "kubeconfig"),
		Master: "http://" + host, BackendMode: wanted.Backends,
		DynamicFilePath: w.dynamicFile, DynamicFileUserIDStrict: wanted.UserIDStrict,
		RoleMappings: wanted.MountedFile.Roles, UserMappings: wanted.MountedFile.Users,
		AutoMappedAWSAccounts: wanted.MountedFile.Accounts,
		ReservedPrefixConfig:  map[string]config.ReservedPrefixConfig{},
	}
	for backend, prefixes := range wanted.ReservedPrefixes {
		cfg.ReservedPrefixConfig[backend] = config.ReservedPrefixConfig{BackendMode: backend, UsernamePrefixReserveList: prefixes}
	}
	if cfg.HealthPort, err = freePort(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.url = cfg.ServerURL()
	w.server = server.New(ctx, cfg)
	go w.server.Run(make(chan struct{}))
	return w, nil
}

func (s *servers) forget(unwanted settings) {
	key := unwanted.key()
	s.byKey[key].stop()
	s.byKey[key].server.Close()
	delete(s.byKey, key)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return address.Port, listener.Close()
}

// distinct asks several times and returns the different answers in a stable order.
func distinct(times int, ask func() answer) []answer {
	seen := map[string]answer{}
	for range times {
		a := ask()
		text, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		seen[string(text)] = a
	}
	keys := []string{}
	for key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	list := []answer{}
	for _, key := range keys {
		list = append(list, seen[key])
	}
	return list
}

func oneOrAny(results []answer) answer {
	if len(results) == 1 {
		return results[0]
	}
	return answer{"anyOf": results}
}
