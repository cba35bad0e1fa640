//! What somebody may do here, by what the provider says of them.

use serde_json::Value;
use sidetone_call::Label;
use sidetone_store::Role;

use crate::config::OidcConfig;
use crate::token::Claims;

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The provider's own id of them, which stays when their name changes.
    pub subject: String,
    /// Their name as it is shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// With [`Role::Agent`], whose calls they see.
    pub agent: Option<Label>,
}

/// Why somebody whom the provider knows may not sign in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of their groups has a role.
    #[error("none of their groups has a role")]
    NoRole,
    /// Their e-mail address is of another domain, or was not verified.
    #[error("their e-mail address is of another domain, or not verified")]
    Domain,
    /// They are an agent without a label.
    #[error("they are an agent, and the provider does not say which")]
    NoAgent,
}

/// The value of a claim: of that very name, else by a path with dots.
fn claim<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
    })
}

/// Their name as it is shown, whatever characters the provider has in it.
pub(crate) fn name(claims: &Claims) -> String {
    let named = ["name", "preferred_username", "email", "sub"].into_iter().find_map(|key| {
        let text: String = claims.get(key)?.as_str()?.chars().filter(|c| !c.is_control()).collect();
        let text: String = text.trim().chars().take(LONGEST_NAME).collect();
        (!text.is_empty()).then_some(text)
    });
    named.unwrap_or_else(|| "somebody".to_owned())
}

fn is_of(claims: &Claims, domains: &[String]) -> bool {
    if domains.is_empty() {
        return true;
    }
    // An address that its owner has merely typed in would be anybody's.
    let verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    let domain = claims.get("email").and_then(Value::as_str).and_then(|email| email.rsplit_once('@'));
    verified && domain.is_some_and(|(_, domain)| domains.iter().any(|one| one.eq_ignore_ascii_case(domain)))
}

impl Mapped {
    /// Maps the claims of a verified token.
    pub(crate) fn of(claims: &Claims, config: &OidcConfig) -> Result<Self, Refusal> {
        if !is_of(claims, &config.email_domains) {
            return Err(Refusal::Domain);
        }
        let groups: Vec<&str> = match claim(claims, &config.role_claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let has = |values: &[String]| values.iter().any(|value| groups.contains(&value.as_str()));
        let role = config.roles.each().into_iter().find(|(_, values)| has(values));
        let (role, _) = role.ok_or(Refusal::NoRole)?;
        let agent = match role {
            Role::Agent => {
                let label = claim(claims, &config.agent_claim).and_then(|label| match label {
                    Value::String(text) => text.parse().ok(),
                    Value::Number(number) => number.to_string().parse().ok(),
                    _ => None,
                });
                Some(label.ok_or(Refusal::NoAgent)?)
            }
            _ => None,
        };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { subject, name: name(claims), role, agent })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(more: &str) -> OidcConfig {
        toml::from_str(&format!(
            "issuer = \"https://a\"\nclient_id = \"b\"\nredirect = \"https://c/sign-in/callback\"\n{more}
             [roles]\nsupervisor = [\"leads\", \"heads\"]\ndirector = [\"board\"]\nagent = [\"agents\"]"
        ))
        .unwrap()
    }

    fn of(claims: &Value, more: &str) -> Result<(Role, Option<String>), Refusal> {
        let mapped = Mapped::of(claims.as_object().unwrap(), &config(more))?;
        Ok((mapped.role, mapped.agent.map(|label| label.to_string())))
    }

    #[test]
    fn the_first_role_that_a_group_gives_is_theirs() {
        let groups =
            |groups: Value| of(&json!({ "sub": "1", "groups": groups, "preferred_username": "2001" }), "");
        assert_eq!(groups(json!(["staff", "board", "heads"])), Ok((Role::Supervisor, None)));
        assert_eq!(groups(json!("board")), Ok((Role::Director, None)));
        assert_eq!(groups(json!(["agents"])), Ok((Role::Agent, Some("2001".to_owned()))));
        for none in [
            json!([]),
            json!(null),
            json!(["Leads"]),
            json!("leads agents"),
            json!({ "leads": true }),
            json!([7]),
        ] {
            assert_eq!(groups(none.clone()), Err(Refusal::NoRole), "{none}");
        }
        let nested = json!({ "sub": "1", "realm_access": { "roles": ["board"] } });
        assert_eq!(of(&nested, "role_claim = \"realm_access.roles\""), Ok((Role::Director, None)));
        let named = json!({ "sub": "1", "https://example.org/roles": ["board"] });
        assert_eq!(of(&named, "role_claim = \"https://example.org/roles\""), Ok((Role::Director, None)));
    }

    #[test]
    fn an_agent_has_a_label() {
        let agent = |label: Value| {
            of(&json!({ "sub": "1", "groups": "agents", "ext": label }), "agent_claim = \"ext\"")
        };
        assert_eq!(agent(json!(2001)), Ok((Role::Agent, Some("2001".to_owned()))));
        for none in [json!(null), json!(""), json!("a\nb"), json!(["2001"])] {
            assert_eq!(agent(none.clone()), Err(Refusal::NoAgent), "{none}");
        }
    }

    #[test]
    fn only_verified_addresses_of_a_domain_that_may_sign_in() {
        let with = |email: &str, verified: Value| {
            let claims = json!({ "sub": "1", "groups": "board", "email": email, "email_verified": verified });
            of(&claims, "email_domains = [\"example.org\"]").map(|(role, _)| role)
        };
        assert_eq!(with("ada@Example.org", json!(true)), Ok(Role::Director));
        for (email, verified) in [
            ("ada@example.org", json!(false)),
            ("ada@example.org", json!(null)),
            ("ada@evil.example.org", json!(true)),
            ("ada@example.org@evil.org", json!(true)),
            ("example.org", json!(true)),
        ] {
            assert_eq!(with(email, verified), Err(Refusal::Domain), "{email}");
        }
    }

    #[test]
    fn a_name_is_one_that_can_be_shown() {
        let named = |claims: Value| name(claims.as_object().unwrap());
        assert_eq!(named(json!({ "name": " Ada\u{7}\n ", "email": "a@b" })), "Ada");
        assert_eq!(named(json!({ "name": "\n", "sub": "x".repeat(100) })), "x".repeat(64));
        assert_eq!(named(json!({})), "somebody");
    }
}
