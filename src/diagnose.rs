//! From evidence to a report: every rule is judged, the symptom rules causes out, specific causes fold general ones,
//! the rest is ranked.

mod likelihood;
mod supposed;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value as TemplateValue;

use crate::{
    checks,
    evidence::{Evidence, Tool},
    facts::{
        Facts,
        observed_symptom::Answer,
        value::{Describe, Node, Schema, Unknown, Value},
    },
    observation,
    rank::{Candidate, rank},
    report::{
        Authorization, Certainty, Check, CheckOutcome, CitedFact, Finding, Fix, Identity, Mapping, Report,
        ReportTarget, RuledOut, Step, Unseen, Verdict,
    },
    rule::{self, Cited, Library, Outcome, Renderer, Rule, Scope},
    symptom::SymptomClass,
};

/// How many elements of a list a rule may report on; more of the same help nobody.
const MOST_ELEMENTS: usize = 5;

/// A rule that the evidence does not rule out.
struct Suspect<'a> {
    rule: &'a Rule,
    /// The element at hand and its place in the list, for rules with `each`.
    it: Option<(usize, &'a Node)>,
    certainty: Certainty,
    unknown: Unknown,
    /// How likely it is among what is only possible; the rule's own weight until all has been heard.
    weight: f64,
}

/// Diagnoses one evidence document.
pub fn diagnose(evidence: &Evidence, library: &Library) -> Report {
    let facts = Facts::derive(evidence);
    let schema = Facts::schema();
    let node = facts.node();
    let checks = checks::run(&facts, &evidence.calls);
    let (suspects, ruled_out) = judge(library, &node, &facts);
    let (mut suspects, folded) = fold(suspects);
    let is_open = suspects.iter().any(|one| one.certainty == Certainty::Possible);
    let supposed = if is_open { supposed::proven(evidence, library) } else { Vec::new() };
    let hearsay = likelihood::Hearsay { named: &facts.pasted_causes, hinted: &facts.hinted, supposed: &supposed };
    for one in &mut suspects {
        one.weight = likelihood::weight(one, &node, &hearsay);
    }
    let writer = Writer { renderer: Renderer::new(&schema, &node), facts: &node, schema: &schema, folded };
    let unknowns = unknowns(&suspects, &writer.renderer);
    let findings = writer.findings(suspects);
    let verdict = verdict(&facts, &findings, &checks);
    let blocked_at = checks.iter().find(|check| check.outcome == CheckOutcome::Fail).map(|check| check.stage);
    let confirmed_at = findings.first().filter(|finding| finding.verdict == Certainty::Confirmed).map(stage_of);
    let blocked_at = if verdict == Verdict::Healthy { None } else { blocked_at.or(confirmed_at.flatten()) };
    Report {
        schema: Default::default(),
        tool: Tool { name: "eks-doctor".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        generated_at: evidence.collected_at,
        target: target(evidence, &facts),
        verdict,
        blocked_at,
        summary: summary(&facts, verdict, blocked_at, &findings),
        identity: identity(&facts),
        authorization: Authorization {
            action: Some(facts.asked.clone()),
            allowed: crate::facts::authorization::is_allowed(&facts).value().copied(),
            by: facts.authorization.by.value().cloned().flatten(),
        },
        trace: checks::trace(&checks),
        checks,
        findings,
        ruled_out,
        unknowns,
    }
}

fn stage_of(finding: &Finding) -> Option<rule::Stage> {
    finding.id.split_once('/').and_then(|(stage, _)| rule::Stage::named(stage))
}

/// Judges every rule by the facts and by the symptom.
fn judge<'a>(library: &'a Library, node: &'a Node, facts: &Facts) -> (Vec<Suspect<'a>>, Vec<RuledOut>) {
    let mut suspects = Vec::new();
    let mut ruled_out = Vec::new();
    for rule in library.rules() {
        let not = |because: String| RuledOut { id: rule.id.clone(), because };
        // A message that names the cause knows better than its class.
        let is_named = facts.pasted_causes.iter().any(|(cause, _)| *cause == rule.id);
        match judge_rule(rule, node) {
            Err(cited) => ruled_out.push(not(format!("{}: {} ({})", cited.fact, cited.value, cited.source))),
            Ok(_) if !is_named && !facts.classes.allow(&rule.explains) => {
                let seen: Vec<&str> = facts.classes.decisive.iter().map(|class| class.name()).collect();
                ruled_out.push(not(format!("what is seen is {}, which it does not produce", seen.join(", "))));
            }
            Ok(of_rule) => suspects.extend(of_rule),
        }
    }
    (suspects, ruled_out)
}

/// What the facts say of one rule: the suspects it yields, or the fact that rules it out.
fn judge_rule<'a>(rule: &'a Rule, facts: &'a Node) -> Result<Vec<Suspect<'a>>, Cited> {
    let suspect = |it, outcome| {
        let (certainty, unknown) = match outcome {
            Outcome::Yes if rule.provable => (Certainty::Confirmed, Unknown::default()),
            Outcome::Yes => (Certainty::Possible, Unknown::default()),
            Outcome::Unknown(unknown) => (Certainty::Possible, unknown),
            Outcome::No(cited) => return Err(cited),
        };
        Ok(Suspect { rule, it, certainty, unknown, weight: rule.weight })
    };
    let Some(list) = &rule.each else {
        let scope = Scope { facts, it: None };
        return suspect(None, rule.when.all(scope).and(rule.unless.none(scope))).map(|one| vec![one]);
    };
    let base = rule.when.all_without_it(facts);
    match rule::find(facts, list) {
        Ok(Value::List(elements)) => {
            let mut first_no = None;
            let mut found = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                let scope = Scope { facts, it: Some((list, element)) };
                match suspect(Some((index, element)), rule.when.all(scope).and(rule.unless.none(scope))) {
                    Ok(one) => found.push(one),
                    Err(cited) => first_no = first_no.or(Some(cited)),
                }
            }
            found.sort_by_key(|one| one.certainty);
            found.truncate(MOST_ELEMENTS);
            if !found.is_empty() {
                return Ok(found);
            }
            let nothing = || Cited { fact: list.clone(), value: "none".to_owned(), source: "the evidence".into() };
            Err(match base {
                Outcome::No(cited) => cited,
                _ => first_no.unwrap_or_else(nothing),
            })
        }
        Ok(_) => Err(Cited { fact: list.clone(), value: "none".to_owned(), source: "the evidence".into() }),
        Err(unknown) => suspect(None, base.and(Outcome::Unknown(unknown.clone()))).map(|one| vec![one]),
    }
}

/// Drops the general causes that a confirmed specific one makes more precise, and causes of last resort if anything is
/// confirmed; returns for each specific cause what it folds.
fn fold(suspects: Vec<Suspect<'_>>) -> (Vec<Suspect<'_>>, BTreeMap<String, Vec<String>>) {
    let refines: BTreeMap<&str, &[String]> =
        suspects.iter().map(|one| (one.rule.id.as_str(), one.rule.refines.as_slice())).collect();
    let mut gone = BTreeSet::new();
    let mut folded: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in suspects.iter().filter(|one| one.certainty == Certainty::Confirmed) {
        let mut general: Vec<String> = Vec::new();
        let mut open: Vec<&String> = one.rule.refines.iter().collect();
        while let Some(id) = open.pop() {
            if *id != one.rule.id && !general.contains(id) {
                general.push(id.clone());
                open.extend(refines.get(id.as_str()).into_iter().flat_map(|ids| ids.iter()));
            }
        }
        gone.extend(general.iter().cloned());
        general.sort();
        folded.insert(one.rule.id.clone(), general);
    }
    let is_confirmed = !folded.is_empty();
    let stays = |one: &Suspect<'_>| !(gone.contains(&one.rule.id) || is_confirmed && one.rule.last_resort);
    (suspects.into_iter().filter(stays).collect(), folded)
}

/// Writes the words of findings.
struct Writer<'a> {
    renderer: Renderer,
    facts: &'a Node,
    schema: &'a Schema,
    folded: BTreeMap<String, Vec<String>>,
}

impl Writer<'_> {
    fn findings(&self, suspects: Vec<Suspect<'_>>) -> Vec<Finding> {
        let candidates = suspects.into_iter().map(|one| {
            let candidate = Candidate {
                id: one.rule.id.clone(),
                stage: one.rule.stage,
                certainty: one.certainty,
                weight: one.weight,
                element: one.it.map_or(0, |(index, _)| index),
            };
            (candidate, one)
        });
        let ranked = rank(candidates.collect()).into_iter().enumerate();
        ranked.map(|(index, (_, confidence, one))| self.finding(index + 1, confidence, &one)).collect()
    }

    fn finding(&self, rank: usize, confidence: f64, suspect: &Suspect<'_>) -> Finding {
        let rule = suspect.rule;
        let it = self.element(suspect);
        let text = |template| self.renderer.render(template, Some(&it));
        let scope =
            Scope { facts: self.facts, it: suspect.it.and_then(|(_, node)| Some((rule.each.as_deref()?, node))) };
        let mut cited = rule.when.cited(scope);
        cited.extend(rule.unless.cited(scope));
        let offered = rule
            .fixes
            .iter()
            .filter(|fix| fix.when.all(scope) == Outcome::Yes && !matches!(fix.unless.none(scope), Outcome::No(_)));
        Finding {
            rank,
            id: rule.id.clone(),
            title: text(&rule.title),
            verdict: suspect.certainty,
            confidence,
            because: text(&rule.because),
            refines: self.folded.get(&rule.id).unwrap_or(&rule.refines).clone(),
            evidence: cited_facts(cited, &suspect.unknown),
            fixes: offered.map(|fix| self.fix(fix, &it)).collect(),
            docs: rule.docs.clone(),
        }
    }

    /// The element at hand as the templates see it; without one, a stand-in whose parts print as placeholders.
    fn element(&self, suspect: &Suspect<'_>) -> TemplateValue {
        let list = suspect.rule.each.as_deref().and_then(|list| rule::schema_of(list, self.schema));
        let Some(Schema::List(element)) = list.map(Schema::required) else { return TemplateValue::UNDEFINED };
        let missing = Node::Unknown(Unknown::default());
        self.renderer.element(element, suspect.it.map_or(&missing, |(_, node)| node))
    }

    fn fix(&self, fix: &rule::Fix, it: &TemplateValue) -> Fix {
        let text = |template: &rule::Template| self.renderer.render(template, Some(it));
        let texts = |templates: &[rule::Template]| -> Vec<String> {
            templates.iter().map(text).filter(|command| !command.is_empty()).collect()
        };
        let title = text(&fix.title);
        let warning = fix.warning.as_ref().map(text);
        let steps: Vec<Step> = texts(&fix.run).into_iter().map(|run| Step { run }).collect();
        let undo = texts(&fix.undo);
        Fix {
            title,
            actor: fix.actor,
            requires: fix.requires.clone(),
            changes: fix.changes,
            reversible: matches!(fix.changes, rule::Changes::Nothing | rule::Changes::Shell) || !undo.is_empty(),
            warning,
            fill_in: rule::placeholders(steps.iter().map(|step| step.run.as_str())),
            steps,
            undo,
            verify: texts(&fix.verify),
        }
    }
}

/// The facts that a finding rests on; for one that is only possible also what it lacks, so that it is never without.
fn cited_facts(cited: Vec<Cited>, unknown: &Unknown) -> Vec<CitedFact> {
    let known = cited.into_iter().map(|fact| CitedFact {
        fact: fact.fact,
        value: fact.value,
        source: fact.source.into_owned(),
    });
    let missing = unknown.missing.iter().map(|missing| CitedFact {
        fact: missing.observation.to_string(),
        value: format!("unknown: {}", missing.why),
        source: missing.observation.to_string(),
    });
    let mut all: Vec<CitedFact> = Vec::new();
    for fact in known.chain(missing) {
        if !all.contains(&fact) {
            all.push(fact);
        }
    }
    all
}

/// What is missing, with the causes it would settle; what would settle most likelihood first.
fn unknowns(suspects: &[Suspect<'_>], renderer: &Renderer) -> Vec<Unseen> {
    struct Gap<'a> {
        why: &'a str,
        settles: Vec<(&'a str, f64)>,
    }
    let mut gaps: BTreeMap<&str, Gap<'_>> = BTreeMap::new();
    for one in suspects {
        for missing in &one.unknown.missing {
            let gap = gaps.entry(&missing.observation).or_insert(Gap { why: &missing.why, settles: Vec::new() });
            if !gap.settles.iter().any(|(id, _)| *id == one.rule.id) {
                gap.settles.push((&one.rule.id, one.weight));
            }
        }
    }
    let mut gaps: Vec<(&str, Gap<'_>)> = gaps.into_iter().collect();
    let tells = |gap: &Gap<'_>| gap.settles.iter().map(|(_, weight)| weight).sum::<f64>();
    gaps.sort_by(|(a, gap_a), (b, gap_b)| tells(gap_b).total_cmp(&tells(gap_a)).then(a.cmp(b)));
    gaps.into_iter()
        .map(|(observation, mut gap)| {
            gap.settles.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
            let (ask, actor) = observation::ask(observation, renderer);
            Unseen {
                observation: observation.to_owned(),
                why: gap.why.to_owned(),
                would_settle: gap.settles.into_iter().map(|(id, _)| id.to_owned()).collect(),
                ask,
                actor,
            }
        })
        .collect()
}

fn verdict(facts: &Facts, findings: &[Finding], checks: &[Check]) -> Verdict {
    if findings.iter().any(|finding| finding.verdict == Certainty::Confirmed)
        && !facts.symptom.answer.is(&Answer::Allowed)
    {
        return Verdict::Blocked;
    }
    let pasted_otherwise = facts
        .symptom
        .pasted
        .value()
        .is_some_and(|classes| classes.iter().any(|class| class != SymptomClass::Works.name()));
    let works = checks.iter().any(|check| check.id == "action-allowed" && check.outcome == CheckOutcome::Pass);
    let every = |outcome: CheckOutcome| !checks.iter().any(|check| check.outcome == outcome);
    // The server's own yes counts alone; the model's yes counts if no station before it is open.
    let is_shown = facts.symptom.answer.is(&Answer::Allowed) || every(CheckOutcome::Unknown);
    let healthy = works && is_shown && every(CheckOutcome::Fail) && !pasted_otherwise;
    if healthy { Verdict::Healthy } else { Verdict::Inconclusive }
}

fn summary(facts: &Facts, verdict: Verdict, at: Option<rule::Stage>, findings: &[Finding]) -> String {
    let who = facts.subject.arn.value().map_or("the caller", String::as_str);
    let stage = at.map(|stage| format!(" at {stage}")).unwrap_or_default();
    match (verdict, findings.first()) {
        (Verdict::Healthy, _) => format!("{who} may {}.", facts.action.words),
        (Verdict::Blocked, Some(first)) => format!("{who} is stopped{stage}: {}.", first.title),
        (_, Some(first)) if first.verdict == Certainty::Confirmed => {
            format!("The API server lets {who} {}; proven all the same{stage}: {}.", facts.action.words, first.title)
        }
        (_, Some(first)) => format!("Nothing is proven{stage}; the likeliest cause for {who}: {}.", first.title),
        (_, None) => format!("Nothing is proven{stage} for {who}, and no known cause fits what was seen."),
    }
}

fn target(evidence: &Evidence, facts: &Facts) -> ReportTarget {
    ReportTarget {
        context: facts.kubeconfig.context.value().cloned().flatten(),
        cluster: facts.cluster.name.value().cloned().flatten(),
        region: facts.cluster.region.value().cloned().flatten(),
        principal: facts.subject.arn.value().cloned(),
        action: evidence.target.action.clone(),
        symptom: evidence.target.symptom.clone(),
    }
}

fn identity(facts: &Facts) -> Identity {
    let mapping = &facts.mapping;
    Identity {
        arn: facts.subject.arn.value().cloned(),
        canonical_arn: facts.subject.canonical_arn.value().cloned(),
        mapping: Mapping {
            source: mapping.source.value().map_or("unknown", |source| source.as_str()).to_owned(),
            entry: mapping.entry.value().cloned().flatten(),
            username: mapping.username.value().cloned().flatten(),
            kubernetes_groups: mapping.groups.value().cloned().unwrap_or_default(),
        },
    }
}
