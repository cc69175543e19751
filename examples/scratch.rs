fn main(){
 let cases=[("a.yaml","schema: eks-doctor/evidence/v1\ntarget:\n  clutser: prod\n"),
 ("a.json","{\"schema\":\"eks-doctor/evidence/v1\",\n \"target\":{\"clutser\":\"prod\"}}"),
 ("a.json","{\"schema\":\"eks-doctor/evidence/v2\",\n \"target\":{\"cluster\":\"prod\"}}"),
 ("a.yaml","schema: eks-doctor/evidence/v2\n"),
 ("a.json","{\"schema\":\"eks-doctor/evidence/v1\",\n \"target\":{\"cluster\":"),
 ("a.yaml","schema: eks-doctor/evidence/v1\naws:\n  caller: { fuond: {arn: x}}\n"),
 ("a.yaml","schema: eks-doctor/evidence/v1\naws:\n  caller: { found: {arn: x}, absent: {}}\n"),
 ("a.json","{\"schema\":\"eks-doctor/evidence/v1\",\"aws\":{\"caller\":{\"found\":{\"arn\":\"x\"}, \"absent\":{}}}}"),
 ("a.yaml","schema: eks-doctor/evidence/v1\naws:\n  caller: { found: {arn: 12, account: 0111122223333}}\n  credentials: {found: {provider: ssso}}"),
 ("a.yaml","schema: eks-doctor/evidence/v1\naws:\n  caller: { notTried: }\n  profile: {notTried: \"x\"}\n  cluster: {absent: {}}\n  accessEntries: {found: []}"),
 ("a.yaml","schema: [\n"), ("a.yaml","target: {}\n"),("a.json","[]"),("a.json","{\"schema\":\"eks-doctor/evidence/v1\"} x"),
 ("a.yaml","schema: eks-doctor/evidence/v1\ncollectedAt: yesterday\n"),
 ("a.yaml","schema: eks-doctor/evidence/v1\nkubernetes: {awsAuth: {found: {data: {mapRoles: y}, apiVersion: v1, x: no, z: 012}}, clusterRoles: {found: [{metadata: {name: no, uid: 01}, rules: null}]}}\n"),
 ];
 for (n,t) in cases { match eks_doctor::evidence::Evidence::from_text(n,t) { Ok(e)=>println!("OK {}", serde_json::to_string(&e).unwrap()), Err(e)=>println!("{e}") } }
}
