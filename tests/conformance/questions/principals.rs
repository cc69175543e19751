//! Principals as STS names them, and their ARNs as people write them down: right, nearly right, and wrong.

use super::random::Random;

pub(crate) const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "012345678901"];

const PARTITIONS: [&str; 9] =
    ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-new"];

const ROLES: [&str; 9] = [
    "KubeAdmin",
    "KubeAdmin",
    "NodeRole",
    "Dev",
    "deploy.er+x=,@-_",
    "AWSReservedSSO_Dev_0123456789abcdef",
    "AWSReservedSSO_Dev_Ops_fedcba9876543210",
    "ci",
    "K8s-Tasks",
];

const USERS: [&str; 5] = ["alice", "bob", "Carol.Smith", "sk", "KIOSK"];

const PATHS: [&str; 5] = ["", "", "", "team/dev/", "aws-reserved/sso.amazonaws.com/eu-west-1/"];

/// Instances with their names. EC2 knows all that are asked about: the real authenticator waits for others.
pub(crate) const INSTANCES: [(&str, &str); 4] = [
    ("i-0123456789ABCDEF0", "ip-10-0-1-22.eu-west-1.compute.internal"),
    ("i-0123456789abcdef0", "ip-10-0-1-23.eu-west-1.compute.internal"),
    ("i-01234567", "ip-10-0-1-24.eu-west-1.compute.internal"),
    ("i-0a1b2c3d4e5f60718", "ip-10-0-9-9.ec2.internal"),
];

const SESSIONS: [&str; 9] = [
    "alice",
    "alice",
    "jane@corp.example",
    "EKSGetTokenAuth",
    "botocore-session-1700000000",
    "i-0123456789abcdef0",
    "i-0123456789abcdef0",
    "i-01234567",
    "i-0a1b2c3d4e5f60718",
];

const ODD_SESSIONS: [&str; 13] = [
    "@",
    "a@b@c",
    "i-0123456789ABCDEF",
    "i-0123456789ABCDEF0",
    "i-012345678",
    "i-0123\u{e9}567",
    "I-01234567",
    "{{AccountID}}",
    "{{SessionNameRaw}}{{AccessKeyID}}",
    "x=1,y+2.z_-",
    "a:b",
    "\u{e9}",
    "",
];

#[derive(Clone)]
pub(crate) enum Kind {
    Role {
        path: &'static str,
        name: &'static str,
        session: &'static str,
    },
    User {
        path: &'static str,
        name: &'static str,
    },
    Root,
    Federated {
        name: &'static str,
    },
    /// What STS never answers as a caller.
    Odd {
        arn: &'static str,
    },
}

#[derive(Clone)]
pub(crate) struct Principal {
    pub(crate) partition: &'static str,
    pub(crate) account: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unique_id: String,
}

impl Principal {
    pub(crate) fn random(random: &mut Random) -> Self {
        let account = random.pick(&ACCOUNTS);
        let session = if random.mishap(40) { random.pick(&ODD_SESSIONS) } else { random.pick(&SESSIONS) };
        let partition = if random.percent(70) { "aws" } else { random.pick(&PARTITIONS) };
        let kind = match random.below(20) {
            19 if random.mishap(90) => Kind::Odd { arn: random.pick(&ODD) },
            17 => Kind::Root,
            18 => Kind::Federated { name: random.pick(&USERS) },
            13..=16 => Kind::User { path: random.pick(&PATHS), name: random.pick(&USERS) },
            _ => Kind::Role { path: random.pick(&PATHS), name: random.pick(&ROLES), session },
        };
        let unique_id = match &kind {
            Kind::Role { .. } => format!("AROAEXAMPLE{}", random.below(4)),
            Kind::User { .. } => format!("AIDAEXAMPLE{}", random.below(4)),
            Kind::Root | Kind::Odd { .. } => account.to_owned(),
            Kind::Federated { name } => format!("{account}:{name}"),
        };
        Self { partition, account, kind, unique_id }
    }

    /// The ARN in the answer of STS. The path of a role is not in it.
    pub(crate) fn raw_arn(&self) -> String {
        let Self { partition, account, .. } = self;
        match &self.kind {
            Kind::Role { name, session, .. } => format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"),
            Kind::Federated { name } => format!("arn:{partition}:sts::{account}:federated-user/{name}"),
            _ => self.iam_arn(),
        }
    }

    /// The ARN under which IAM knows the principal, with its path.
    pub(crate) fn iam_arn(&self) -> String {
        let Self { partition, account, .. } = self;
        match &self.kind {
            Kind::Role { path, name, .. } => format!("arn:{partition}:iam::{account}:role/{path}{name}"),
            Kind::User { path, name } => format!("arn:{partition}:iam::{account}:user/{path}{name}"),
            Kind::Root => format!("arn:{partition}:iam::{account}:root"),
            Kind::Federated { .. } => self.raw_arn(),
            Kind::Odd { arn } => arn.replace("PARTITION", partition).replace("ACCOUNT", account),
        }
    }

    /// The ARN that has to stand in aws-auth.
    pub(crate) fn canonical_arn(&self) -> String {
        match &self.kind {
            Kind::Role { name, .. } => format!("arn:{}:iam::{}:role/{name}", self.partition, self.account),
            _ => self.iam_arn(),
        }
    }

    pub(crate) fn session(&self) -> &'static str {
        match self.kind {
            Kind::Role { session, .. } => session,
            _ => "",
        }
    }

    pub(crate) fn is_role(&self) -> bool {
        matches!(self.kind, Kind::Role { .. })
    }

    /// The ARN as somebody wrote it down: right in about half of the cases.
    pub(crate) fn as_written(&self, random: &mut Random) -> String {
        let right = self.canonical_arn();
        if random.percent(55) {
            return right;
        }
        match 20 + random.below(24) {
            ..=20 => right,
            21 => right.to_uppercase(),
            22 => right.to_lowercase(),
            23 => right.replace('k', "K").replace('a', "A"),
            24 => right.replace(['k', 'K'], "\u{212a}"),
            25 => right.replace(['s', 'S'], "\u{17f}"),
            26..=28 => self.iam_arn(),
            29 | 30 => self.raw_arn(),
            31 => format!("{right} "),
            32 => format!(" {right}"),
            33 => format!("{right}\u{200b}"),
            34 => right.replacen(':', ":\u{a0}", 1),
            35 => right.replace(self.account, random.pick(&ACCOUNTS)),
            36 => right.replacen(self.partition, random.pick(&PARTITIONS), 1),
            37 => right.replace(":role/", ":user/"),
            38 => format!("{}*", &right[..right.len() - 1]),
            39 => right.replace(self.account, "ACCOUNT_ID"),
            40 => right.replacen("iam", "sts", 1),
            41 => format!("{right}\n"),
            42 => format!("arn:{}:iam::{}:root", self.partition, self.account),
            _ => random
                .pick(&["", "*", "alice", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:group/admins"])
                .to_owned(),
        }
    }
}

const ODD: [&str; 8] = [
    "arn:PARTITION:iam::ACCOUNT:role/KubeAdmin",
    "arn:PARTITION:sts::ACCOUNT:assumed-role/KubeAdmin",
    "arn:PARTITION:sts::ACCOUNT:assumed-role/team/dev/KubeAdmin/alice",
    "arn:PARTITION:sts::ACCOUNT:assumed-root",
    "arn:PARTITION:iam::ACCOUNT:group/admins",
    "arn:PARTITION:iam::ACCOUNT:instance-profile/nodes",
    "arn:PARTITION:ec2::ACCOUNT:instance/i-01234567",
    "alice",
];
