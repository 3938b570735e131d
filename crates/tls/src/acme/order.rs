//! One order: prove that the names are ours, send a request, fetch the certificate.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, ChallengeHandle, ChallengeType, Error, Identifier, KeyAuthorization, NewOrder,
    Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::sign::CertifiedKey;

use super::{Acme, AcmeProof, account};
use crate::provider::provider;

/// Why an order came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// The server asks for a long pause.
    pub(super) is_rate_limit: bool,
    is_unknown_account: bool,
}

impl Failure {
    pub(super) fn new(why: String) -> Self {
        Self { why, is_rate_limit: false, is_unknown_account: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Api(problem) => problem.r#type.clone().unwrap_or_default(),
            _ => String::new(),
        };
        // The outermost words ("client error") say less than what is behind them.
        let mut why = error.to_string();
        let mut behind = error.source();
        while let Some(inner) = behind {
            let words = inner.to_string();
            if !why.contains(&words) {
                why = format!("{why}: {words}");
            }
            behind = inner.source();
        }
        Self {
            why,
            is_rate_limit: kind.ends_with(":rateLimited"),
            is_unknown_account: kind.ends_with(":accountDoesNotExist"),
        }
    }
}

impl From<rcgen::Error> for Failure {
    fn from(error: rcgen::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// The key and the chain, in PEM.
pub(super) async fn obtain(acme: &Acme) -> Result<String, Failure> {
    let ordered = place(acme).await;
    if ordered.as_ref().err().is_some_and(|failure| failure.is_unknown_account) {
        // A server that was set up anew; the next try makes a new account.
        account::forget(&acme.folder);
    }
    let mut order = ordered?;
    prove(acme, &mut order).await?;
    let status = match order.poll_ready(&PATIENCE).await {
        Ok(status) => status,
        // The order only says that it failed; the proof says why.
        Err(error) => return Err(refused(&mut order).await.unwrap_or_else(|| error.into())),
    };
    if status != OrderStatus::Ready {
        let unknown = || Failure::new(format!("the order is {status:?}"));
        return Err(refused(&mut order).await.unwrap_or_else(unknown));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(acme.settings.names.clone())?;
    params.distinguished_name = DistinguishedName::new();
    order.finalize_csr(params.serialize_request(&key)?.der()).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(format!("{}{chain}", key.serialize_pem()))
}

async fn place(acme: &Acme) -> Result<Order, Failure> {
    let account = account::open(&acme.settings, &acme.folder).await?;
    let names: Vec<_> =
        acme.settings.names.iter().map(|name| Identifier::Dns(name.to_ascii_lowercase())).collect();
    Ok(account.new_order(&NewOrder::new(&names)).await?)
}

async fn prove(acme: &Acme, order: &mut Order) -> Result<(), Failure> {
    let kind = match acme.settings.proof {
        AcmeProof::Http01 => ChallengeType::Http01,
        AcmeProof::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => return Err(Failure::new(format!("a name is {other:?} before it was proved"))),
        }
        let Some(mut challenge) = authorization.challenge(kind.clone()) else {
            return Err(Failure::new(format!("the server does not offer {kind:?}")));
        };
        answer(acme, &challenge)?;
        challenge.set_ready().await?;
    }
    Ok(())
}

fn answer(acme: &Acme, challenge: &ChallengeHandle<'_>) -> Result<(), Failure> {
    let authorization = challenge.key_authorization();
    match acme.settings.proof {
        AcmeProof::Http01 => acme.challenges.answer_http(&challenge.token, authorization.as_str()),
        AcmeProof::TlsAlpn01 => {
            let name = challenge.identifier().to_string();
            acme.challenges.answer_tls(&name, proof(&name, &authorization)?);
        }
    }
    Ok(())
}

/// The certificate of RFC 8737: for one name, signed by itself, with the digest in a critical extension.
fn proof(name: &str, authorization: &KeyAuthorization) -> Result<Arc<CertifiedKey>, Failure> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(authorization.digest().as_ref())];
    let certificate = params.self_signed(&key)?;
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let private = provider().key_provider.load_private_key(private.into());
    let private = private.map_err(|error| Failure::new(error.to_string()))?;
    // Not `from_der`: it would parse the certificate, and refuse the critical extension that is its whole point.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], private)))
}

/// What the server says about the first name that it did not believe.
async fn refused(order: &mut Order) -> Option<Failure> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let state = authorization.refresh().await.ok()?;
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.clone()) {
            let mut failure = Failure::from(Error::Api(problem));
            failure.why = format!("{name} was not proved: {}", failure.why);
            return Some(failure);
        }
    }
    None
}

/// A server looks within seconds; the whole order has its own bound.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));
