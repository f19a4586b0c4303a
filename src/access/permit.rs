//! Who may do what: one table, [`grant`], and what it means for a resource, [`permit`].

use std::collections::BTreeSet;
use std::sync::Arc;

use super::caller::{Caller, PURPOSE_ALLOWED};
use super::identity::{Role, Scope};
use crate::catalogue::{AreaIx, Catalogue, Hierarchy};
use crate::model::date::Date;
use crate::model::id::{AgencyId, AreaCode};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Submits figures of an agency, or takes them back.
    Submit,
    /// Changes figures of an agency whose period is locked.
    CorrectLocked,
    /// Reads what an agency submitted.
    ReadSubmissions,
    /// Reads the catalogue.
    ReadCatalogue,
    /// Changes the catalogue.
    ChangeCatalogue,
    /// Reads unpublished figures.
    ReadFigures,
    /// Reads which figures are expected, late or missing, without the figures.
    ReadCompleteness,
    /// Reads who has keys.
    ReadKeys,
    /// Makes, replaces and revokes keys.
    ChangeKeys,
    /// Reads the audit log.
    ReadAudit,
    /// Reads who it is itself.
    ReadCaller,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::Submit,
        Self::CorrectLocked,
        Self::ReadSubmissions,
        Self::ReadCatalogue,
        Self::ChangeCatalogue,
        Self::ReadFigures,
        Self::ReadCompleteness,
        Self::ReadKeys,
        Self::ChangeKeys,
        Self::ReadAudit,
        Self::ReadCaller,
    ];

    /// Whether it may store something.
    pub(crate) const fn stores(self) -> bool {
        match self {
            Self::Submit | Self::CorrectLocked | Self::ChangeCatalogue | Self::ChangeKeys => true,
            Self::ReadSubmissions
            | Self::ReadCatalogue
            | Self::ReadFigures
            | Self::ReadCompleteness
            | Self::ReadKeys
            | Self::ReadAudit
            | Self::ReadCaller => false,
        }
    }
}

/// How far a role's right to do something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Not at all.
    Nothing,
    /// For its own agency's figures.
    OwnAgency,
    /// Within its scope of sectors and areas, for a stated purpose.
    Scope,
    /// For everything.
    Everything,
}

/// The table: how far each role's right to each action goes.
pub(crate) const fn grant(role: Role, action: Action) -> Grant {
    use Grant::{Everything, Nothing, OwnAgency, Scope};
    match action {
        Action::Submit | Action::ReadSubmissions => match role {
            Role::Submitter | Role::Corrector => OwnAgency,
            Role::Reader | Role::Analyst | Role::Steward | Role::Operator => Nothing,
        },
        Action::CorrectLocked => match role {
            Role::Corrector => OwnAgency,
            Role::Submitter | Role::Reader | Role::Analyst | Role::Steward | Role::Operator => Nothing,
        },
        Action::ReadCatalogue => match role {
            Role::Submitter | Role::Corrector | Role::Analyst | Role::Steward => Everything,
            Role::Reader | Role::Operator => Nothing,
        },
        Action::ChangeCatalogue => match role {
            Role::Steward => Everything,
            Role::Submitter | Role::Corrector | Role::Reader | Role::Analyst | Role::Operator => Nothing,
        },
        Action::ReadFigures => match role {
            Role::Analyst => Scope,
            Role::Submitter | Role::Corrector | Role::Reader | Role::Steward | Role::Operator => Nothing,
        },
        Action::ReadCompleteness => match role {
            Role::Submitter | Role::Corrector => OwnAgency,
            Role::Analyst => Scope,
            Role::Steward => Everything,
            Role::Reader | Role::Operator => Nothing,
        },
        Action::ReadKeys | Action::ChangeKeys | Action::ReadAudit => match role {
            Role::Operator => Everything,
            Role::Submitter | Role::Corrector | Role::Reader | Role::Analyst | Role::Steward => Nothing,
        },
        Action::ReadCaller => match role {
            Role::Submitter | Role::Corrector | Role::Reader | Role::Analyst | Role::Steward | Role::Operator => {
                Everything
            }
        },
    }
}

/// What something is done to.
#[derive(Debug, Clone)]
pub(crate) enum Resource<'a> {
    /// Not known yet, or irrelevant: only whether the role has the right at all.
    Any,
    /// Submissions of an agency, by the text that should be its id.
    Agency(&'a str),
    /// Figures.
    Figures(RequestedFigures<'a>),
}

/// The figures that a request asks for, in its own texts, which may be wrong.
#[derive(Debug, Clone)]
pub(crate) struct RequestedFigures<'a> {
    /// The newest catalogue, which knows the sectors, and where areas lie today.
    pub(crate) catalogue: &'a Catalogue,
    /// Today.
    pub(crate) today: Date,
    /// The catalogue that the answer is computed with.
    pub(crate) answered_by: Arc<Catalogue>,
    /// The days whose hierarchies, in that catalogue, the answer adds areas up by: for each period asked about, and
    /// each that it is compared with. None when the request names no period.
    pub(crate) days: Vec<Date>,
    /// The areas' codes.
    pub(crate) areas: Vec<&'a str>,
    /// Whose figures the answer may rest on.
    pub(crate) agencies: Agencies<'a>,
}

/// Whose figures an answer may rest on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Agencies<'a> {
    /// Anyone's.
    Any,
    /// Only those of these agencies, by their ids.
    Named(&'a [String]),
}

/// Why something isn't allowed. It says nothing of what it would have been done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// The role has no such right, or it doesn't go so far.
    #[error("this caller may not do this")]
    NotAllowed,
    /// It would be allowed for a stated purpose, and none was stated.
    #[error("say what you read figures for, in the header `conspectus-purpose`: {}", PURPOSE_ALLOWED)]
    PurposeMissing,
}

/// Whether a caller may do something to a resource.
///
/// # Errors
/// When it may not.
pub(crate) fn permit(caller: &Caller, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
    // Open and Local: only this machine can be these; the server refuses a network address without identities.
    let Some(known) = caller.known() else { return Ok(()) };
    let identity = &known.identity;
    let own = |agency: &str| identity.agency.as_ref().map(AgencyId::as_str) == Some(agency);
    let grant = grant(identity.role, action);
    let reaches = match (grant, resource) {
        (Grant::Nothing, _) => false,
        (Grant::Everything, _) | (_, Resource::Any) => true,
        (Grant::OwnAgency, Resource::Agency(agency)) => own(agency),
        (Grant::OwnAgency, Resource::Figures(figures)) => match figures.agencies {
            Agencies::Any => false,
            Agencies::Named(agencies) => !agencies.is_empty() && agencies.iter().all(|agency| own(agency)),
        },
        (Grant::Scope, Resource::Agency(_)) => false,
        (Grant::Scope, Resource::Figures(figures)) => figures.is_within(&identity.scope),
    };
    match (reaches, grant) {
        (false, _) => Err(Denied::NotAllowed),
        (true, Grant::Scope) if known.purpose.is_none() => Err(Denied::PurposeMissing),
        (true, Grant::Nothing | Grant::OwnAgency | Grant::Scope | Grant::Everything) => Ok(()),
    }
}

impl RequestedFigures<'_> {
    fn is_within(&self, scope: &Scope) -> bool {
        let sectors = scope.sectors.is_empty()
            || match self.agencies {
                Agencies::Any => false,
                Agencies::Named(agencies) => {
                    !agencies.is_empty() && agencies.iter().all(|agency| self.is_of_sector(agency, scope))
                }
            };
        sectors && (scope.areas.is_empty() || self.are_in_areas(scope))
    }

    fn is_of_sector(&self, agency: &str, scope: &Scope) -> bool {
        let found = AgencyId::parse(agency).ok().and_then(|id| self.catalogue.agency(&id));
        found.is_some_and(|(_, agency)| scope.sectors.contains(&agency.sector))
    }

    /// The rule of an analyst's areas, for every way to ask. It holds for each area of the request: an area is in scope if, by each hierarchy that the answer
    /// adds up by, it or something that it lay within is one of the scope's areas or lies in one today.
    ///
    /// Whatever an answer adds up or expands lies within an area of the request by the same hierarchy, so it is in scope
    /// with it: nothing comes out by level that would be refused by name. An explanation of a longer period has its
    /// parts by the hierarchies of their own periods: they belong to the figure.
    fn are_in_areas(&self, scope: &Scope) -> bool {
        let outer: Vec<AreaIx> =
            scope.areas.iter().filter_map(|code| self.catalogue.area(code)).map(|(ix, _)| ix).collect();
        let today = self.catalogue.hierarchy(self.today);
        let lies_in_scope = |area: &AreaIx| outer.iter().any(|outer| today.is_within(*area, *outer));
        let hierarchies = self.hierarchies();
        let is_in_scope = |text: &str| {
            let Ok(code) = AreaCode::parse(text) else { return false };
            let Some((area, _)) = self.catalogue.area(&code) else { return false };
            // An area that the answer's catalogue doesn't have yet lay nowhere.
            if hierarchies.is_empty() || self.answered_by.area(&code).is_none() {
                return lies_in_scope(&area);
            }
            let lay_in_scope = |hierarchy: &&Hierarchy| {
                std::iter::successors(Some(area), |area| hierarchy.parent(*area)).any(|area| lies_in_scope(&area))
            };
            hierarchies.iter().all(lay_in_scope)
        };
        // Each once: that one is named twice is refused only after the permission.
        let distinct: BTreeSet<&str> = self.areas.iter().copied().collect();
        distinct.into_iter().all(is_in_scope)
    }

    /// The hierarchies of the days, each once: there are few, however many periods are asked about.
    fn hierarchies(&self) -> Vec<&Hierarchy> {
        let mut distinct: Vec<&Hierarchy> = Vec::new();
        for hierarchy in self.days.iter().map(|day| self.answered_by.hierarchy(*day)) {
            if !distinct.iter().any(|known| std::ptr::eq(*known, hierarchy)) {
                distinct.push(hierarchy);
            }
        }
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Credential, Identity, KeyId, Known, Purpose};
    use crate::model::id::IdentityId;

    /// The whole table, for a reader: a row an action, a column a role.
    #[test]
    fn the_table_is_what_the_documents_say() {
        let row = |action: &Action| {
            let cells = Role::ALL.iter().map(|role| format!("{:<12}", format!("{:?}", grant(*role, *action))));
            format!("{:<17}{}", format!("{action:?}"), cells.collect::<String>()).trim_end().to_owned()
        };
        let head = format!("{:<17}{}", "", Role::ALL.iter().map(|role| format!("{role:<12}")).collect::<String>());
        let rows: Vec<String> =
            std::iter::once(head.trim_end().to_owned()).chain(Action::ALL.iter().map(row)).collect();
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn figures_are_read_for_a_stated_purpose() {
        let analyst = |purpose| {
            let id = IdentityId::parse("analyst").unwrap();
            let (scope, certificates, sign_ins) = (Scope::default(), Vec::new(), Vec::new());
            let identity = Identity { id, role: Role::Analyst, agency: None, scope, certificates, sign_ins };
            let credential = Credential::Key(KeyId([0; 8]));
            Caller::Known(Known { identity: Arc::new(identity), credential, purpose })
        };
        assert_eq!(permit(&analyst(None), Action::ReadFigures, Resource::Any), Err(Denied::PurposeMissing));
        assert_eq!(permit(&analyst(None), Action::ReadCatalogue, Resource::Any), Ok(()));
        let purpose = Purpose::parse("the annual report").ok();
        assert_eq!(permit(&analyst(purpose), Action::ReadFigures, Resource::Any), Ok(()));
    }
}
