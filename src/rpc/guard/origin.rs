//! Where a call comes from: its credentials and its connection.

use tonic::Status;
use tonic::codegen::http;

use crate::access::{self, Caller, Credential, Credentials, Purpose, SignIn, Unauthenticated};
use crate::audit;
use crate::model::id::IdentityId;
use crate::net::{NoLongerGood, Peer};
use crate::rpc::Context;
use crate::rpc::contract::{PURPOSE_HEADER, purpose_of};
use crate::rpc::status::{self, Reason};

/// When one with too many connections may try again.
const CONNECTIONS_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// The sign-in of the session at the page that a call is made for. It is an extension of the request, which nothing from
/// the network can set.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn(pub(crate) SignIn);

/// What a call presents, kept for as long as it is open.
#[derive(Debug)]
pub(super) struct Origin {
    /// Empty when it comes twice.
    authorization: Option<http::HeaderValue>,
    sign_in: Option<SignIn>,
    purpose: Option<Purpose>,
    peer: Option<Peer>,
}

impl Origin {
    pub(super) fn of<B>(request: &http::Request<B>, peer: Option<Peer>) -> Self {
        let one = |name: &str| {
            let mut values = request.headers().get_all(name).iter();
            let first = values.next()?;
            // A header that comes twice counts as unreadable.
            let mut one = if values.next().is_none() { first.clone() } else { http::HeaderValue::from_static("") };
            // It may be a secret.
            one.set_sensitive(true);
            Some(one)
        };
        // One that can't be read is none.
        let purpose = one(PURPOSE_HEADER).and_then(|header| purpose_of(&header));
        let sign_in = request.extensions().get::<SignedIn>().map(|SignedIn(sign_in)| sign_in.clone());
        Self { authorization: one("authorization"), sign_in, purpose, peer }
    }

    /// Who is calling, as of now: a stream asks again.
    ///
    /// # Errors
    /// When the credentials are missing, refused or expired.
    pub(super) fn caller(&self, context: &Context) -> Result<Caller, Status> {
        let certificate = self.peer.as_ref().map(Peer::certificate).transpose();
        let certificate = certificate.map_err(|NoLongerGood| status::unauthenticated(Unauthenticated::Refused))?;
        let credentials = Credentials {
            authorization: self.authorization.as_ref().map(|header| header.to_str().unwrap_or_default()),
            sign_in: self.sign_in.as_ref(),
            certificate: certificate.flatten(),
            purpose: self.purpose.clone(),
        };
        let state = context.newest();
        access::authenticate(state.access(), &credentials, (context.clock)()).map_err(status::unauthenticated)
    }

    /// Notes that the caller uses its connection, which may then stay.
    ///
    /// # Errors
    /// When the identity has too many connections.
    pub(super) fn claim(&self, identity: Option<&IdentityId>) -> Result<(), Status> {
        match (&self.peer, identity) {
            (Some(peer), Some(identity)) if !peer.claim(identity) => {
                let what = "this caller has too many connections open; use one for many calls";
                Err(status::retry(Reason::RateLimited, what, CONNECTIONS_RETRY))
            }
            (Some(peer), None) => {
                peer.trust();
                Ok(())
            }
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }

    /// A line of the audit log about a call whose caller isn't let in: with the name of whoever has a key that is no longer
    /// good, so that they can be told. Whoever has no secret of ours stays unknown.
    pub(super) fn line_of_unknown(&self, context: &Context, method: &str) -> audit::Line {
        let line = self.line(audit::Event::Refused, None, method);
        let state = context.newest();
        let header = self.authorization.as_ref().and_then(|header| header.to_str().ok());
        match header.and_then(|header| access::holder(state.access(), header)) {
            Some((record, key)) => audit::Line {
                identity: record.identity.id.to_string(),
                credential: Credential::Key(key.id).to_string(),
                ..line
            },
            None => line,
        }
    }

    /// A line of the audit log about a call from here.
    pub(super) fn line(&self, event: audit::Event, caller: Option<&Caller>, method: &str) -> audit::Line {
        let known = caller.and_then(Caller::known);
        audit::Line {
            identity: known.map(|known| known.identity.id.to_string()).unwrap_or_default(),
            credential: known.map(|known| known.credential.to_string()).unwrap_or_default(),
            address: self.peer.as_ref().map(|peer| peer.address().to_string()).unwrap_or_default(),
            method: method.to_owned(),
            purpose: self.purpose.as_ref().map(|purpose| purpose.as_str().to_owned()).unwrap_or_default(),
            ..audit::Line::without_call(event, String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessChange, Identity, NewKey, Role, Scope, Secret};
    use crate::intake::change_access::ChangeAccess;
    use crate::model::timestamp::Timestamp;

    fn create(name: &str, role: Role, key: Option<NewKey>, sign_ins: Vec<SignIn>) -> AccessChange {
        let (scope, certificates) = (Scope::default(), Vec::new());
        let id = IdentityId::parse(name).unwrap();
        AccessChange::Create { identity: Identity { id, role, agency: None, scope, certificates, sign_ins }, key }
    }

    #[tokio::test]
    async fn whoever_has_signed_in_at_the_page_is_the_caller_until_they_are_revoked() {
        let now = Timestamp(0);
        let context = Context::in_memory(now);
        let secret = Secret::from_random([1; Secret::RANDOM_BYTES]);
        let key = NewKey { id: secret.id(), hash: secret.hash(), expires_at: now.plus_hours(1) };
        let al = SignIn { issuer: "https://login.example".parse().unwrap(), subject: "al".parse().unwrap() };
        let changes = vec![
            create("jo", Role::Operator, Some(key), Vec::new()),
            create("al", Role::Analyst, None, vec![al.clone()]),
        ];
        context.writer.write(ChangeAccess { changes, now }).await.unwrap();
        let mut request = http::Request::new(());
        assert!(Origin::of(&request, None).caller(&context).is_err());
        request.extensions_mut().insert(SignedIn(al));
        let origin = Origin::of(&request, None);
        let caller = origin.caller(&context).unwrap();
        assert_eq!(caller.actor().to_string(), "al by sign-in al at https://login.example");
        assert_eq!(
            origin.line(audit::Event::Read, Some(&caller), "").credential,
            "sign-in al at https://login.example"
        );
        let changes = vec![AccessChange::Revoke { identity: IdentityId::parse("al").unwrap(), key: None }];
        context.writer.write(ChangeAccess { changes, now }).await.unwrap();
        assert!(origin.caller(&context).is_err());
    }
}
