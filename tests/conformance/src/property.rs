//! The properties of MQTT 5.0 by name, and lists of them.

/// One property, as section 2.2.2.2 names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the specification's own names")]
pub enum Property {
    PayloadFormatIndicator(u8),
    MessageExpiryInterval(u32),
    ContentType(String),
    ResponseTopic(String),
    CorrelationData(Vec<u8>),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(String),
    ServerKeepAlive(u16),
    AuthenticationMethod(String),
    AuthenticationData(Vec<u8>),
    RequestProblemInformation(u8),
    WillDelayInterval(u32),
    RequestResponseInformation(u8),
    ResponseInformation(String),
    ServerReference(String),
    ReasonString(String),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(u8),
    RetainAvailable(u8),
    UserProperty(String, String),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(u8),
    SubscriptionIdentifierAvailable(u8),
    SharedSubscriptionAvailable(u8),
    /// Bytes instead of a property: for sending what no property may look like. Never received.
    Raw(Vec<u8>),
}

impl Property {
    /// A User Property.
    pub fn user(name: &str, value: &str) -> Self {
        Self::UserProperty(name.to_owned(), value.to_owned())
    }
}

/// The properties of one packet, in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(pub Vec<Property>);

macro_rules! scalar {
    ($($name:ident: $variant:ident -> $type:ty;)*) => {
        impl Properties {
            $(
                #[doc = concat!("The value of ", stringify!($variant), ", when present.")]
                pub fn $name(&self) -> Option<$type> {
                    self.0.iter().find_map(|p| match p {
                        Property::$variant(value) => Some(value.clone()),
                        _ => None,
                    })
                }
            )*
        }
    };
}

scalar! {
    payload_format_indicator: PayloadFormatIndicator -> u8;
    message_expiry_interval: MessageExpiryInterval -> u32;
    content_type: ContentType -> String;
    response_topic: ResponseTopic -> String;
    correlation_data: CorrelationData -> Vec<u8>;
    session_expiry_interval: SessionExpiryInterval -> u32;
    assigned_client_identifier: AssignedClientIdentifier -> String;
    server_keep_alive: ServerKeepAlive -> u16;
    authentication_method: AuthenticationMethod -> String;
    response_information: ResponseInformation -> String;
    reason_string: ReasonString -> String;
    receive_maximum: ReceiveMaximum -> u16;
    topic_alias_maximum: TopicAliasMaximum -> u16;
    topic_alias: TopicAlias -> u16;
    maximum_qos: MaximumQos -> u8;
    retain_available: RetainAvailable -> u8;
    maximum_packet_size: MaximumPacketSize -> u32;
    wildcard_subscription_available: WildcardSubscriptionAvailable -> u8;
    subscription_identifier_available: SubscriptionIdentifierAvailable -> u8;
    shared_subscription_available: SharedSubscriptionAvailable -> u8;
}

impl Properties {
    /// The User Properties in order.
    pub fn user_properties(&self) -> Vec<(&str, &str)> {
        fn pair(property: &Property) -> Option<(&str, &str)> {
            match property {
                Property::UserProperty(name, value) => Some((name.as_str(), value.as_str())),
                _ => None,
            }
        }
        self.0.iter().filter_map(pair).collect()
    }

    /// The Subscription Identifiers, sorted, since the specification gives their order no meaning.
    pub fn subscription_identifiers(&self) -> Vec<u32> {
        let identifier = |p: &Property| match p {
            Property::SubscriptionIdentifier(value) => Some(*value),
            _ => None,
        };
        let mut found: Vec<u32> = self.0.iter().filter_map(identifier).collect();
        found.sort_unstable();
        found
    }
}
