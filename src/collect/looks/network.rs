//! Looks at the way to the API server that kubectl would ask, or else to the one that EKS describes.

use std::net::IpAddr;

use tokio::net::TcpStream;

use super::Looks;
use crate::collect::endpoint;
use crate::collect::http::address;
use crate::collect::kubernetes::Endpoint;
use crate::collect::network::{self, Shown};
use crate::collect::watch::{Look, found, map};
use crate::evidence::{Network, Observed, ProxySetting, TcpConnection, TlsSession};

impl Looks<'_> {
    /// Everything about the way to the API server.
    pub(crate) async fn network(&self) -> Network {
        let told = self.request.egress_address.map(|address| Observed::Found(address.to_string()));
        let egress_address = told.unwrap_or_else(|| Observed::not_tried("no third party is asked"));
        let endpoint = match self.network_endpoint().await {
            Ok(endpoint) => endpoint,
            Err(reason) => {
                return Network {
                    local_addresses: network::local_address(None),
                    egress_address,
                    dns: Observed::not_tried(&reason),
                    tcp: Observed::not_tried(&reason),
                    tls: Observed::not_tried(&reason),
                    proxy: Observed::not_tried(&reason),
                };
            }
        };
        let addresses = self.addresses(&endpoint).await;
        let local_addresses = network::local_address(addresses.found().and_then(|found| found.first().copied()));
        let connected = self.connection(&endpoint, &addresses).await;
        let (tcp, tls) = match found(connected) {
            Ok((stream, connection)) => (Observed::Found(connection), self.tls(&endpoint, stream).await),
            Err(unconnected) => (unconnected, Observed::not_tried("there is no connection")),
        };
        let proxy = endpoint.proxy.as_ref();
        let proxy = proxy.map(|proxy| ProxySetting { url: proxy.shown(), from: proxy.from.clone() });
        Network {
            local_addresses,
            egress_address,
            dns: map(addresses, |found| found.iter().map(IpAddr::to_string).collect()),
            tcp,
            tls,
            proxy: proxy.map_or_else(Observed::absent, Observed::Found),
        }
    }

    /// The API server to which the way leads, or why there is none.
    pub(super) async fn network_endpoint(&self) -> Result<Endpoint, String> {
        let entry = self.kubeconfig.current.as_ref().and_then(|current| current.cluster.as_ref());
        let configured = match entry {
            Some(entry) => Some(endpoint::of_kubeconfig(&entry.content(), &self.proxies)),
            None => endpoint::of_pod(self.surroundings)
                .filter(|_| self.is_in_pod())
                .map(|way| way.map(|(endpoint, _)| endpoint)),
        };
        let endpoint = match configured {
            Some(endpoint) => Some(endpoint),
            None => self.cluster().await.found().and_then(|cluster| endpoint::of_cluster(cluster, &self.proxies)),
        };
        match endpoint {
            Some(Ok(endpoint)) => Ok(endpoint),
            Some(Err(failure)) => Err(failure.message),
            None => Err("no API server is known".to_owned()),
        }
    }

    async fn addresses(&self, endpoint: &Endpoint) -> Observed<Vec<IpAddr>> {
        if endpoint.proxy.is_some() {
            return Observed::not_tried("the proxy looks the name up");
        }
        let host = endpoint.server.host().unwrap_or_default();
        self.watch.look(self.step("network.dns", network::LOOKUP, host.to_owned()), network::resolve(host)).await
    }

    async fn connection(
        &self,
        endpoint: &Endpoint,
        addresses: &Observed<Vec<IpAddr>>,
    ) -> Observed<(TcpStream, TcpConnection)> {
        let target = address(&endpoint.server);
        let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(443);
        match (&endpoint.proxy, addresses.found()) {
            (Some(proxy), _) if proxy.url.scheme_str() == Some("https") => {
                Observed::not_tried("the proxy wants TLS itself")
            }
            (Some(proxy), _) => {
                let look = self.step("network.tcp", network::CONNECT, format!("{target} through {}", proxy.shown()));
                self.watch.look(look, settled(network::tunnel(proxy, &target))).await
            }
            (None, Some(addresses)) => {
                let shown: Vec<String> = addresses.iter().map(|address| format!("{address}:{port}")).collect();
                let look = self.step("network.tcp", network::CONNECT, shown.join(", "));
                self.watch.look(look, settled(network::connect(addresses, port))).await
            }
            (None, None) => Observed::not_tried("the name does not resolve"),
        }
    }

    async fn tls(&self, endpoint: &Endpoint, stream: TcpStream) -> Observed<TlsSession> {
        if endpoint.server.scheme_str() != Some("https") {
            return Observed::not_tried("the server is not asked over TLS");
        }
        let host = endpoint.server.host().unwrap_or_default();
        let name = endpoint.tls_server_name.as_deref().unwrap_or(host);
        let look = self.step("network.tls", network::HANDSHAKE, address(&endpoint.server));
        let shaken = self.watch.look(look, settled(network::handshake(stream, name, endpoint.ca.as_deref()))).await;
        match found(shaken) {
            Ok((session, _)) if session.verified => Observed::Found(session),
            Ok((session, shown)) => Observed::Found(self.who_else(session, &shown).await),
            Err(failed) => failed,
        }
    }

    /// Who vouches for a chain, if it is not the kubeconfig's CA.
    async fn who_else(&self, session: TlsSession, shown: &Shown) -> TlsSession {
        let authority = self.cluster().await.found().and_then(|cluster| cluster.certificate_authority.as_ref());
        let ca = authority.and_then(|authority| endpoint::ca_of_base64(authority.data.as_deref()?).ok());
        TlsSession {
            verified_by_cluster: ca.map(|ca| shown.verify(Some(&ca)).is_ok()),
            verified_by_system: Some(shown.verify(None).is_ok()),
            ..session
        }
    }

    fn step(&self, observation: &'static str, operation: &str, address: String) -> Look {
        Look { observation, operation: operation.to_owned(), address, limit: self.watch.call_limit() }
    }
}

async fn settled<T>(future: impl Future<Output = Result<T, crate::evidence::Failure>>) -> Observed<T> {
    future.await.map_or_else(Observed::Failed, Observed::Found)
}
