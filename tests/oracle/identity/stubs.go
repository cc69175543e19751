package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
)

// transport stands in for http.DefaultTransport, which both the token verifier and client-go use. It answers for STS
// and for the Kubernetes API; every other host is an error, so nothing can leave the machine by this way.
type transport struct {
	mutex      sync.Mutex
	sts        func(*http.Request) *http.Response
	configMaps map[string]*configMapWatch // by host
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	t.mutex.Lock()
	watch := t.configMaps[request.URL.Host]
	sts := t.sts
	t.mutex.Unlock()
	switch {
	case watch != nil:
		return watch.answer(request)
	case sts != nil && strings.HasPrefix(request.URL.Host, "sts"):
		return sts(request), nil
	}
	return nil, fmt.Errorf("no request to %s leaves this machine", request.URL.Host)
}

func (t *transport) answerSTS(status int, body string) (sent *bool) {
	sent = new(bool)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.sts = func(request *http.Request) *http.Response {
		*sent = true
		return response(request, status, []byte(body))
	}
	return sent
}

func response(request *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: request,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// configMapWatch is the Kubernetes API of one server: each watch request gets the next event and then ends, so the
// authenticator comes back for another one as soon as it has dealt with the event.
type configMapWatch struct{ events chan []byte }

func (w *configMapWatch) answer(request *http.Request) (*http.Response, error) {
	select {
	case event := <-w.events:
		return response(request, http.StatusOK, event), nil
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
}

// load returns when the authenticator has stored the data: the empty watch is asked for after the event was handled.
func (w *configMapWatch) load(data map[string]string) error {
	kind := "ADDED"
	if data == nil {
		kind = "DELETED"
	}
	event, err := json.Marshal(answer{"type": kind, "object": answer{
		"kind": "ConfigMap", "apiVersion": "v1", "data": data,
		"metadata": answer{"name": "aws-auth", "namespace": "kube-system"},
	}})
	if err != nil {
		return err
	}
	w.events <- event
	w.events <- nil
	return nil
}

// ec2 answers DescribeInstances with the private DNS names of the current question.
type ec2 struct {
	mutex sync.Mutex
	names map[string]string
	*httptest.Server
}

func newEC2() *ec2 {
	e := &ec2{}
	e.Server = httptest.NewServer(http.HandlerFunc(e.describeInstances))
	return e
}

func (e *ec2) know(names map[string]string) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.names = names
}

func (e *ec2) describeInstances(w http.ResponseWriter, request *http.Request) {
	type instance struct {
		ID   string `xml:"instanceId"`
		Name string `xml:"privateDnsName"`
	}
	var found struct {
		XMLName   xml.Name   `xml:"DescribeInstancesResponse"`
		Instances []instance `xml:"reservationSet>item>instancesSet>item"`
	}
	id := request.FormValue("InstanceId.1")
	e.mutex.Lock()
	name, known := e.names[id]
	e.mutex.Unlock()
	if known {
		found.Instances = []instance{{id, name}}
	}
	w.Header().Set("Content-Type", "text/xml")
	if err := xml.NewEncoder(w).Encode(found); err != nil {
		panic(err)
	}
}

// logs catches what the authenticator tells nobody but its log: why it denied, and that it has read its dynamic file.
type logs struct {
	denial chan error
	loaded chan string // the Version of the file, or the reason why it was refused
}

func (*logs) Levels() []logrus.Level { return logrus.AllLevels }

func (l *logs) Fire(entry *logrus.Entry) error {
	const refused = "StartLoadDynamicFile: error in callBackForFileLoad, "
	reason, isRefusal := strings.CutPrefix(entry.Message, refused)
	switch {
	case entry.Message == "access denied":
		if err, ok := entry.Data[logrus.ErrorKey].(error); ok {
			l.denial <- err
		}
	case entry.Message == "logging latency metric":
		if version, ok := entry.Data["Version"].(string); ok {
			l.loaded <- version
		}
	case isRefusal:
		l.loaded <- "refused: " + reason
	}
	return nil
}
