//! People whom an identity provider has named.

use crate::Role;
use crate::identities::Identity;
use crate::store::Store;
use crate::testing::{at, on_each};

fn ada(role: Role, agent: Option<&str>) -> Identity {
    Identity {
        issuer: "https://login.example.org".to_owned(),
        subject: "u1".to_owned(),
        name: "Ada".to_owned(),
        role,
        agent: agent.map(|label| label.parse().unwrap()),
    }
}

#[test]
fn somebody_is_known_again_and_has_the_role_that_was_given_last() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let (first, token) = store.sign_in_identity(&ada(Role::Supervisor, None), at(0)).unwrap().unwrap();
        assert_eq!((token.name.as_str(), token.role), ("Ada", Role::Supervisor));
        let again = Identity { name: "Ada L.".to_owned(), ..ada(Role::Supervisor, None) };
        let (second, same) = store.sign_in_identity(&again, at(1)).unwrap().unwrap();
        assert_eq!((same.id.as_str(), same.name.as_str()), (token.id.as_str(), "Ada L."));
        assert!(store.session(&first, at(2)).unwrap().is_some(), "by two browsers");
        // Another role ends what was begun with the one before.
        let (third, agent) = store.sign_in_identity(&ada(Role::Agent, Some("2001")), at(3)).unwrap().unwrap();
        assert_eq!((agent.id.as_str(), agent.agent.as_deref()), (token.id.as_str(), Some("2001")));
        assert!(
            store.session(&first, at(4)).unwrap().is_none()
                && store.session(&second, at(4)).unwrap().is_none()
        );
        assert_eq!(store.session(&third, at(4)).unwrap().unwrap().role, Role::Agent);
        let stranger = Identity { subject: "u2".to_owned(), ..ada(Role::Director, None) };
        let other = store.sign_in_identity(&stranger, at(5)).unwrap().unwrap().1;
        assert_ne!(other.id, token.id);
        store.sign_out(&third, at(6)).unwrap();
        assert!(store.session(&third, at(7)).unwrap().is_none());
        store.note_refused("Cleo", "no role", at(8)).unwrap();
        let noted: Vec<_> =
            store.accesses(10, None).unwrap().into_iter().map(|it| (it.name, it.action)).collect();
        let noted: Vec<_> = noted.iter().map(|(name, action)| (name.as_str(), action.as_str())).collect();
        let expected = [
            ("Cleo", "sign_in.refused"),
            ("Ada", "signed_out"),
            ("Ada", "signed_in"),
            ("Ada", "signed_in"),
            ("Ada L.", "signed_in"),
            ("Ada", "signed_in"),
        ];
        assert_eq!(noted, expected);
        assert!(store.revoke_token(&token.id, at(9)).unwrap());
        assert!(store.sign_in_identity(&ada(Role::Supervisor, None), at(10)).unwrap().is_none());
    });
}
