package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"gopkg.in/yaml.v2"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"
)

// sections in the order in which the authenticator reads them.
var sections = []string{"mapUsers", "mapRoles", "mapAccounts"}

// parseConfigMap asks ParseMap once for what is kept and once per section for the errors, because the error of a
// whole ConfigMap does not say which section it belongs to.
func parseConfigMap(data map[string]string) answer {
	users, roles, accounts, _ := configmap.ParseMap(data)
	failures := []answer{}
	for _, section := range sections {
		text, present := data[section]
		if !present {
			continue
		}
		_, _, _, err := configmap.ParseMap(map[string]string{section: text})
		for _, e := range errorsOf(err) {
			failures = append(failures, answer{"section": section, "kind": kindOf(e, section, text), "message": e.Error()})
		}
	}
	return answer{"roles": roleAnswers(roles), "users": userAnswers(users), "accounts": nonNil(accounts), "errors": failures}
}

// errorsOf opens ErrParsingMap, whose list of errors has no exported accessor.
func errorsOf(err error) []error {
	var parsing configmap.ErrParsingMap
	if !errors.As(err, &parsing) {
		return nil
	}
	field := reflect.ValueOf(&parsing).Elem().Field(0)
	list, ok := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().([]error)
	if !ok {
		panic("ErrParsingMap no longer holds a list of errors")
	}
	return list
}

// kindOf says how much an error costs: "yaml" and "json" the whole section, "type" one field, "validation" one entry.
func kindOf(err error, section, text string) string {
	var jsonSyntax *json.SyntaxError
	var jsonType *json.UnmarshalTypeError
	var yamlType *yaml.TypeError
	switch {
	case errors.As(err, &jsonSyntax):
		return "json"
	case errors.As(err, &jsonType), errors.As(err, &yamlType):
		return "type"
	case section == "mapAccounts":
		return "yaml"
	}
	if _, conversion := utilyaml.ToJSON([]byte(text)); conversion != nil {
		return "yaml"
	}
	return "validation"
}

func roleAnswers(roles []config.RoleMapping) []answer {
	list := []answer{}
	for _, role := range roles {
		a := answer{"username": role.Username, "groups": role.Groups}
		if role.RoleARN != "" {
			a["arn"] = role.RoleARN
		}
		if role.SSO != nil {
			a["sso"] = role.SSO
		}
		list = append(list, a)
	}
	return list
}

func userAnswers(users []config.UserMapping) []answer {
	list := []answer{}
	for _, user := range users {
		list = append(list, answer{"arn": user.UserARN, "username": user.Username, "groups": user.Groups})
	}
	return list
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// ambiguous tells whether several entries of the loaded store match, so that the winner is random per request.
func ambiguous(data map[string]string, canonicalARN string) bool {
	users, roles, _, _ := configmap.ParseMap(data)
	keys := map[string]bool{}
	for _, role := range roles {
		if role.Matches(canonicalARN) {
			keys[fmt.Sprint("role ", role.Key())] = true
		}
	}
	if len(keys) > 0 {
		return len(keys) > 1
	}
	for _, user := range users {
		if user.Matches(canonicalARN) {
			keys[user.Key()] = true
		}
	}
	return len(keys) > 1
}
