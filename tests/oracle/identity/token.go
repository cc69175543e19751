package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// tokenQuestion is one token as a server of the given partition and region sees it at a given moment.
type tokenQuestion struct {
	Token     string    `json:"token"`
	Partition string    `json:"partition"`
	Region    string    `json:"region"`
	Now       time.Time `json:"now"`
	STSStatus int       `json:"sts_status"` // default: 200, for a user of the example account
	STSBody   string    `json:"sts_body"`
}

const defaultCaller = `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":` +
	`{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:user/alice","UserId":"AIDAEXAMPLE"}}}`

// verifyToken runs the real verifier while its clock, time.Now, shows the moment of the question. Only a bubble of
// testing/synctest has such a clock: it starts at the year 2000, and sleeping in it takes no time.
func verifyToken(t *testing.T, q *tokenQuestion) (a answer) {
	synctest.Test(t, func(*testing.T) {
		defer func() {
			if p := recover(); p != nil {
				a = answer{"failed": fmt.Sprint(p)}
			}
		}()
		time.Sleep(time.Until(q.Now))
		a = verify(q)
		if message, _ := a["error"].(string); strings.Contains(message, "query parameter") {
			// Which of several wrong parameters is named depends on the random order of a map.
			a = oneOrAny(distinct(askedWhenRandom, func() answer { return verify(q) }))
		}
	})
	return a
}

func verify(q *tokenQuestion) answer {
	status, body := q.STSStatus, q.STSBody
	if status == 0 {
		status, body = http.StatusOK, defaultCaller
	}
	stub := &transport{}
	sent := stub.answerSTS(status, body)
	previous := http.DefaultTransport
	http.DefaultTransport = stub
	defer func() { http.DefaultTransport = previous }()

	identity, err := token.NewVerifier("prod", q.Partition, q.Region).Verify(q.Token)
	if err != nil {
		return answer{"ok": false, "sent_to_sts": *sent, "error_type": errorType(err), "error": err.Error()}
	}
	return answer{
		"ok": true, "sent_to_sts": *sent, "canonical_arn": identity.CanonicalARN, "user_id": identity.UserID,
		"session_name": identity.SessionName, "access_key_id": identity.AccessKeyID, "sts_endpoint": identity.STSEndpoint,
	}
}

func errorType(err error) string {
	var format token.FormatError
	var sts token.STSError
	var throttling token.STSThrottling
	switch {
	case errors.As(err, &format):
		return "FormatError"
	case errors.As(err, &sts):
		return "STSError"
	case errors.As(err, &throttling):
		return "STSThrottling"
	}
	return "other"
}
