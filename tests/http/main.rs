//! Use cases over HTTP: the real server on a real socket.

mod answers;
mod api_page;
mod connections;
mod cookie_mode;
mod credentials;
mod dev_mailbox;
mod disabled;
mod documents;
mod edges;
mod existing_clients;
mod input;
mod killed;
mod languages;
mod limits;
mod oauth_clients;
mod operators;

mod password_year;
mod passwords;
mod path_prefix;
mod phones;
mod privacy;
mod profile;
mod quick_start;
mod races;
mod realms;
mod recent_authentication;
mod refresh;
mod registration;
mod restart;
mod roles;
mod sessions;
mod step_up;
mod test_control;
mod totp;
mod undo;
