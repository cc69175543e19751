//! Which STS hosts the server accepts.

use super::super::arn::Partition;
use super::super::go_text;
use super::{Rejection, Server};

const GLOBAL_HOST: &str = "sts.amazonaws.com";

/// Checks the host of a presigned URL and returns its region; `global` for the global endpoint.
///
/// A region that no partition knows counts as commercial, so an invented one passes here and fails at DNS. The host of a
/// VPC endpoint, a port, upper case and a trailing dot never pass.
pub(super) fn verify(host: &str, server: &Server) -> Result<String, Rejection> {
    let region = region_of(host)
        .map_err(|why| Rejection::format(format!("could not parse region for pre-signed URL {host}, {why}")))?;
    let Server { partition, region: server_region } = server;
    // The server takes every host whose second label is `global` for the global endpoint.
    if host == GLOBAL_HOST || region == "global" {
        return match partition {
            Partition::Aws => Ok("global".to_owned()),
            _ => Err(Rejection::format(format!("global endpoint unsupported in partition {}", partition.id()))),
        };
    }
    if !is_region(region) {
        return Err(Rejection::format(format!("invalid region identifier format provided: {region}")));
    }
    let domain = host.splitn(3, '.').nth(2).unwrap_or_default();
    if !resolves_to(region, host) {
        // A region that the server's SDK does not know yet, which can only be its own.
        let own_host = |suffix: &str| host == format!("sts.{server_region}.{suffix}");
        if is_region(server_region) && suffixes(*partition).any(own_host) {
            return Ok(region.to_owned());
        }
        return Err(Rejection::format(format!("unexpected hostname {} in pre-signed URL", go_text::quote(host))));
    }
    if suffixes(*partition).all(|suffix| suffix != domain) {
        let partition = partition.id();
        return Err(Rejection::format(format!("partition {{{partition}}} does not support hostname {host}")));
    }
    Ok(region.to_owned())
}

/// The domains that the server accepts in its partition.
fn suffixes(partition: Partition) -> impl Iterator<Item = &'static str> {
    let dual_stack = partition.accepts_dual_stack().then(|| partition.dual_stack_dns_suffix());
    std::iter::once(partition.dns_suffix()).chain(dual_stack)
}

/// Whether the rules of the AWS SDK give this host to STS in the region: plain, FIPS, dual-stack, or both.
fn resolves_to(region: &str, host: &str) -> bool {
    let partition = Partition::of_region(region);
    let (plain, dual_stack) = (partition.dns_suffix(), partition.dual_stack_dns_suffix());
    // In GovCloud every host is FIPS, and has no name of its own for it.
    let fips = if partition == Partition::AwsUsGov { "sts" } else { "sts-fips" };
    let has_plain_host = region != "aws-global";
    (has_plain_host && host == format!("sts.{region}.{plain}"))
        || host == format!("{fips}.{region}.{plain}")
        || host == format!("sts.{region}.{dual_stack}")
        || host == format!("sts-fips.{region}.{dual_stack}")
}

fn region_of(host: &str) -> Result<&str, String> {
    if host.is_empty() {
        return Err("host is empty".to_owned());
    }
    let mut labels = host.split('.').skip(1);
    match (labels.next(), labels.next()) {
        (Some(region), Some(_)) => Ok(region),
        _ => Err(format!("invalid host format: {host}")),
    }
}

fn is_region(text: &str) -> bool {
    let alphanumeric = |character: char| character.is_ascii_alphanumeric();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|character| alphanumeric(character) || character == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(partition: Partition, host: &str) -> Result<String, String> {
        let server = Server { partition, region: "us-new-1".to_owned() };
        verify(host, &server).map_err(|rejection| rejection.message)
    }

    #[test]
    fn every_partition_has_its_hosts() {
        for (partition, host) in [
            (Partition::Aws, "sts.us-west-2.amazonaws.com"),
            (Partition::Aws, "sts-fips.us-west-2.api.aws"),
            (Partition::AwsCn, "sts-fips.cn-north-1.amazonaws.com.cn"),
            (Partition::AwsUsGov, "sts-fips.us-gov-west-1.api.aws"),
            (Partition::AwsIso, "sts.us-iso-east-1.c2s.ic.gov"),
            (Partition::AwsIsoB, "sts-fips.us-isob-east-1.sc2s.sgov.gov"),
            (Partition::AwsEusc, "sts.eusc-de-east-1.api.amazonwebservices.eu"),
            (Partition::AwsIsoF, "sts.us-new-1.csp.hci.ic.gov"),
        ] {
            assert!(verdict(partition, host).is_ok(), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for (partition, host, message) in [
            (Partition::AwsUsGov, "sts-fips.us-gov-west-1.amazonaws.com", "unexpected hostname"),
            (Partition::AwsIso, "sts.us-iso-east-1.api.aws.ic.gov", "partition {aws-iso} does not support"),
            (Partition::Aws, "sts.cn-north-1.amazonaws.com.cn", "partition {aws} does not support"),
            (Partition::Aws, "sts.us-west-2.amazonaws.com.", "unexpected hostname"),
            (Partition::Aws, "sts.aws-global.amazonaws.com", "unexpected hostname"),
            (Partition::Aws, "localhost", "could not parse region"),
            (Partition::Aws, "", "could not parse region for pre-signed URL , host is empty"),
            (Partition::Aws, "sts.-a.amazonaws.com", "invalid region identifier"),
            (Partition::AwsCn, "sts.amazonaws.com", "global endpoint unsupported in partition aws-cn"),
            (Partition::AwsIso, "sts.global.amazonaws.com", "global endpoint unsupported in partition aws-iso"),
        ] {
            let refused = verdict(partition, host).unwrap_err();
            assert!(refused.starts_with(message), "{host}: {refused}");
        }
    }
}
