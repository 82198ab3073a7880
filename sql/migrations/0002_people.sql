-- Who sells, from where, with which session and terminal.

CREATE TABLE ventanas (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 100),
    code text NOT NULL CHECK (length(code) BETWEEN 2 AND 10),
    commission_policy jsonb,
    -- {"print": {...}, "theme": "light" | "dark"}
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    UNIQUE (banca_id, code)
);

CREATE TYPE user_role AS ENUM ('ADMIN', 'BANCA', 'VENTANA', 'VENDEDOR');

-- An ADMIN belongs to the platform; its banca, if any, is only the one it starts in.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    banca_id uuid REFERENCES bancas,
    ventana_id uuid,
    role user_role NOT NULL,
    username text NOT NULL CHECK (username ~ '^[A-Za-z0-9_.-]{3,64}$'),
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
    password_hash text NOT NULL,
    email text,
    phone text,
    code text CHECK (length(code) BETWEEN 2 AND 32),
    commission_policy jsonb,
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    max_sessions_per_vendedor integer CHECK (max_sessions_per_vendedor BETWEEN 1 AND 20),
    -- Per-seller limit on ticket routes is lifted for load tests.
    rate_limited boolean NOT NULL DEFAULT true,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (banca_id, id),
    FOREIGN KEY (banca_id, ventana_id) REFERENCES ventanas,
    CONSTRAINT users_place_fits_role CHECK (
        CASE role
            WHEN 'ADMIN' THEN ventana_id IS NULL
            WHEN 'BANCA' THEN banca_id IS NOT NULL AND ventana_id IS NULL
            ELSE banca_id IS NOT NULL AND ventana_id IS NOT NULL
        END)
);
CREATE UNIQUE INDEX users_username_unique ON users (lower(username));
CREATE INDEX users_of_ventana ON users (banca_id, ventana_id, role);

-- Bancas that a user of role BANCA may work in.
CREATE TABLE user_bancas (
    banca_id uuid NOT NULL REFERENCES bancas,
    user_id uuid NOT NULL REFERENCES users,
    is_default boolean NOT NULL DEFAULT false,
    PRIMARY KEY (banca_id, user_id)
);

-- One row per login; its refresh token rotates. banca_id is null for an ADMIN without one.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    banca_id uuid REFERENCES bancas,
    user_id uuid NOT NULL REFERENCES users,
    terminal_id uuid,
    -- SHA-256 of the newest refresh token and of the one before it.
    refresh_hash bytea NOT NULL CHECK (length(refresh_hash) = 32),
    previous_hash bytea CHECK (length(previous_hash) = 32),
    rotated_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text,
    device_id text CHECK (length(device_id) <= 100),
    device_name text CHECK (length(device_name) <= 100),
    user_agent text,
    ip_address text,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX sessions_live_of_user ON sessions (user_id, last_used_at) WHERE revoked_at IS NULL;

-- A POS device. Its secret is derived (HKDF) from the named master key, its id and its key version.
CREATE TABLE terminals (
    banca_id uuid NOT NULL REFERENCES bancas,
    id uuid NOT NULL UNIQUE,
    ventana_id uuid NOT NULL,
    -- The one seller who may use it; null: any seller of the ventana.
    vendedor_id uuid,
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 100),
    master_key_id text NOT NULL,
    key_version integer NOT NULL DEFAULT 1 CHECK (key_version >= 1),
    previous_master_key_id text,
    previous_key_version integer,
    previous_valid_until timestamptz,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (banca_id, id),
    FOREIGN KEY (banca_id, ventana_id) REFERENCES ventanas,
    FOREIGN KEY (banca_id, vendedor_id) REFERENCES users (banca_id, id),
    CHECK ((previous_key_version IS NULL) = (previous_valid_until IS NULL)),
    CHECK ((previous_key_version IS NULL) = (previous_master_key_id IS NULL)),
    CHECK (previous_key_version < key_version)
);

CREATE TRIGGER ventanas_insert_bump AFTER INSERT ON ventanas
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER ventanas_update_bump AFTER UPDATE ON ventanas
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER users_insert_bump AFTER INSERT ON users
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER users_update_bump AFTER UPDATE ON users
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
CREATE TRIGGER users_moved_bump AFTER UPDATE ON users
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bump_rulebook_of_rows();
