//! A phone: it calls and is called.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use crate::incoming::Incoming;
use crate::outgoing::{self, Dialing};
use crate::sip::{Core, Invited};
use crate::{Call, CallOptions, PhoneConfig, PhoneError};

/// A SIP user agent. Clones are the same phone; it lives as long as one of them or a call of it.
#[derive(Clone, Debug)]
pub struct Phone {
    core: Arc<Core>,
    calls: Arc<Mutex<mpsc::Receiver<Invited>>>,
}

impl Phone {
    /// A phone that listens from now on.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub async fn bind(config: PhoneConfig) -> Result<Self, PhoneError> {
        let (core, calls) = Core::start(config).await?;
        Ok(Self { core, calls: Arc::new(Mutex::new(calls)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.core.local()
    }

    /// The phone's own URI, for others to call.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("sip:{}@{}", self.core.config.user, self.address())
    }

    /// Sends an INVITE to a URI, and doesn't wait for what comes of it.
    ///
    /// # Errors
    /// When the URI can't be called or no media port bound.
    pub async fn dial(&self, uri: &str, options: CallOptions) -> Result<Dialing, PhoneError> {
        outgoing::dial(&self.core, uri, options).await
    }

    /// Calls a URI and waits for the answer.
    ///
    /// # Errors
    /// When it isn't answered with a 2xx and a codec in common.
    pub async fn call(&self, uri: &str, options: CallOptions) -> Result<Call, PhoneError> {
        self.dial(uri, options).await?.answered().await
    }

    /// Waits for somebody to call.
    ///
    /// # Errors
    /// Only when the phone is being torn down.
    pub async fn incoming(&self) -> Result<Incoming, PhoneError> {
        let invited = self.calls.lock().await.recv().await.ok_or(PhoneError::Ended)?;
        Ok(Incoming::new(Arc::clone(&self.core), invited))
    }

    /// Waits for a call, rings and answers it.
    ///
    /// # Errors
    /// The same as for [`Incoming::answer`].
    pub async fn accept(&self, options: CallOptions) -> Result<Call, PhoneError> {
        let incoming = self.incoming().await?;
        incoming.ring();
        incoming.answer(options).await
    }
}
