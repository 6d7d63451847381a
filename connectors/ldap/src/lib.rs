//! connector-ldap
