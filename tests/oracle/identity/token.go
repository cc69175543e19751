package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
	Region    string    `json:"serverRegion"`
	Now       time.Time `json:"now"`
	STSStatus int       `json:"stsStatus"` // default: 200, for a user of the example account
	STSBody   string    `json:"stsBody"`
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
		expect, sent := verify(q)
		if message, _ := expect["message"].(string); strings.Contains(message, "query parameter") {
			// Which of several wrong parameters is named depends on the random order of a map.
			expect = oneOrAny(distinct(askedWhenRandom, func() answer {
				expect, _ := verify(q)
				return expect
			}))
		}
		a = answer{"expect": expect, "sentToSts": sent}
	})
	return a
}

func verify(q *tokenQuestion) (expect answer, sentToSTS bool) {
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
		return answer{"rejected": rejectionKind(err), "message": redacted(q, err.Error())}, *sent
	}
	return answer{
		"canonicalArn": identity.CanonicalARN, "uniqueId": identity.UserID, "sessionName": identity.SessionName,
		"accessKeyId": identity.AccessKeyID, "stsHost": identity.STSEndpoint,
	}, *sent
}

// redacted removes the URL from a message that quotes all of it: it is as secret as the token.
func redacted(q *tokenQuestion, message string) string {
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(q.Token, "k8s-aws-v1."))
	var parsing *url.Error
	if _, parseErr := url.Parse(string(signed)); err == nil && errors.As(parseErr, &parsing) {
		return strings.Replace(message, strconv.Quote(parsing.URL), `"<redacted>"`, 1)
	}
	return message
}

func rejectionKind(err error) string {
	var format token.FormatError
	var sts token.STSError
	var throttling token.STSThrottling
	switch {
	case errors.As(err, &format):
		return "format"
	case errors.As(err, &sts):
		return "sts"
	case errors.As(err, &throttling):
		return "throttled"
	}
	return "other"
}
