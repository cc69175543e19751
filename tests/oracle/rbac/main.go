// Command rbac answers authorization questions with the authorizers of Kubernetes itself: the one for the privileged group
// and the one for RBAC, together as the API server has them.
//
// It reads JSON lines: a world (the four RBAC lists), or a question about the world that was read last. It writes one
// JSON line for each: for a world the rules of its aggregated ClusterRoles as the controller would fill them in, for a
// question the decision.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/union"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

// line is a world or a question.
type line struct {
	World    *world    `json:"world"`
	Question *question `json:"question"`
}

// world is what the API server's informers would hold. Lists keep their order, so that answers are reproducible.
type world struct {
	ClusterRoles        []*rbacv1.ClusterRole        `json:"clusterRoles"`
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	Roles               []*rbacv1.Role               `json:"roles"`
	RoleBindings        []*rbacv1.RoleBinding        `json:"roleBindings"`

	clusterRolesByName map[string]*rbacv1.ClusterRole
	rolesByName        map[[2]string]*rbacv1.Role
	bindingsByNs       map[string][]*rbacv1.RoleBinding
}

type question struct {
	User   subject `json:"user"`
	Action action  `json:"action"`
}

// subject is what authentication found: a name with groups, or a service account.
type subject struct {
	Username       string          `json:"username"`
	Groups         []string        `json:"groups"`
	ServiceAccount *serviceAccount `json:"serviceAccount"`
}

type serviceAccount struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type action struct {
	Verb        string `json:"verb"`
	Group       string `json:"group"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Path        string `json:"path"`
}

type answer struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

type aggregation struct {
	Aggregation map[string][]rbacv1.PolicyRule `json:"aggregation"`
}

func (w *world) index() {
	w.clusterRolesByName = map[string]*rbacv1.ClusterRole{}
	w.rolesByName = map[[2]string]*rbacv1.Role{}
	w.bindingsByNs = map[string][]*rbacv1.RoleBinding{}
	for _, role := range w.ClusterRoles {
		w.clusterRolesByName[role.Name] = role
	}
	for _, role := range w.Roles {
		w.rolesByName[[2]string{role.Namespace, role.Name}] = role
	}
	for _, binding := range w.RoleBindings {
		w.bindingsByNs[binding.Namespace] = append(w.bindingsByNs[binding.Namespace], binding)
	}
}

// The four methods stand in for the listers, which answer in the random order of a map.

func (w *world) GetClusterRole(_ context.Context, name string) (*rbacv1.ClusterRole, error) {
	if role, found := w.clusterRolesByName[name]; found {
		return role, nil
	}
	return nil, apierrors.NewNotFound(rbacv1.Resource("clusterrole"), name)
}

func (w *world) GetRole(_ context.Context, namespace, name string) (*rbacv1.Role, error) {
	// The lister finds nothing in the namespace that has no name.
	if role, found := w.rolesByName[[2]string{namespace, name}]; found && namespace != "" {
		return role, nil
	}
	return nil, apierrors.NewNotFound(rbacv1.Resource("role"), name)
}

func (w *world) ListClusterRoleBindings(context.Context) ([]*rbacv1.ClusterRoleBinding, error) {
	return w.ClusterRoleBindings, nil
}

func (w *world) ListRoleBindings(_ context.Context, namespace string) ([]*rbacv1.RoleBinding, error) {
	return w.bindingsByNs[namespace], nil
}

// userOf completes the groups as the API server does after authentication.
func userOf(s subject) user.Info {
	var found user.Info = &user.DefaultInfo{Name: s.Username, Groups: s.Groups}
	if s.ServiceAccount != nil {
		found = serviceaccount.UserInfo(s.ServiceAccount.Namespace, s.ServiceAccount.Name, "")
	}
	settled := authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: found}, true, nil
	})
	response, _, _ := group.NewAuthenticatedGroupAdder(settled).AuthenticateRequest(nil)
	return response.User
}

// aggregate does what the controller's sync does, with its selectors and its equality.
func (w *world) aggregate() aggregation {
	all := append([]*rbacv1.ClusterRole{}, w.ClusterRoles...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	filled := map[string][]rbacv1.PolicyRule{}
	for _, role := range w.ClusterRoles {
		if role.AggregationRule == nil {
			continue
		}
		if rules, err := rulesFor(role, all); err == nil {
			filled[role.Name] = rules
		}
	}
	return aggregation{filled}
}

func rulesFor(role *rbacv1.ClusterRole, all []*rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	rules := []rbacv1.PolicyRule{}
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return nil, err
		}
		for _, other := range all {
			if other.Name == role.Name || !selector.Matches(labels.Set(other.Labels)) {
				continue
			}
			for _, rule := range other.Rules {
				if !contains(rules, rule) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules, nil
}

func contains(rules []rbacv1.PolicyRule, wanted rbacv1.PolicyRule) bool {
	for _, rule := range rules {
		if equality.Semantic.DeepEqual(rule, wanted) {
			return true
		}
	}
	return false
}

func (w *world) ask(q *question) answer {
	attributes := authorizer.AttributesRecord{
		User:            userOf(q.User),
		Verb:            q.Action.Verb,
		APIGroup:        q.Action.Group,
		Resource:        q.Action.Resource,
		Subresource:     q.Action.Subresource,
		Namespace:       q.Action.Namespace,
		Name:            q.Action.Name,
		Path:            q.Action.Path,
		ResourceRequest: q.Action.Path == "",
	}
	chain := union.New(authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup), rbac.New(w, w, w, w))
	decision, reason, _ := chain.Authorize(context.Background(), attributes)
	return answer{Allowed: decision == authorizer.DecisionAllow, Reason: reason}
}

func run(in io.Reader, out io.Writer) error {
	reader, writer := json.NewDecoder(bufio.NewReader(in)), bufio.NewWriter(out)
	answers, current := json.NewEncoder(writer), &world{}
	for {
		var next line
		if err := reader.Decode(&next); err == io.EOF {
			return writer.Flush()
		} else if err != nil {
			return err
		}
		if next.World != nil {
			current = next.World
			current.index()
			if err := answers.Encode(current.aggregate()); err != nil {
				return err
			}
		}
		if next.Question != nil {
			if err := answers.Encode(current.ask(next.Question)); err != nil {
				return err
			}
		}
	}
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rbac oracle:", err)
		os.Exit(1)
	}
}
