// lighttpd, Apache httpd or nginx in a private folder, in front of responders, configured by what `ssectl snippet` prints.
//
// Only the main part is written here, as Debian's own files have it where that matters. Everything about streams comes
// from there, unchanged but for the path of the password file.
import http from 'node:http';
import net from 'node:net';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { program } from './build.mjs';
import { Process, run } from './proc.mjs';
import { until } from './wait.mjs';

const deploy = join(dirname(fileURLToPath(import.meta.url)), '../../deploy');
const isRoot = process.getuid() === 0;

/** Who may read: a name and its password. */
export const USERS = { alice: 'wonder', bob: 'builder' };
/** A cheap hash for the crowds, and one that people should use. */
const hashes = {
  alice: (password) => `{SHA}${createHash('sha1').update(password).digest('base64')}`,
  bob: (password) => execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: password }).toString().trim(),
};
export const basic = (user, password = USERS[user]) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
/** Request options that name a user as these servers want it (and nothing of X-User-Id). */
export const as = (user) => ({ user: '', headers: { authorization: basic(user) } });

/** Switch on what a snippet offers as an alternative. */
const withAlternative = (text, word) => text.replaceAll(new RegExp(`^#${word}\\|`, 'gm'), '');
/** Lines that a snippet has for another file. */
const linesFor = (text, word) => text.split('\n').filter((line) => line.startsWith(`#${word}|`)).map((line) => line.replace(/^#\w+\|/, '')).join('\n');

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** Does a web server answer there? (Apache listens before it has read all of its configuration.) */
const answers = (port) => new Promise((resolve) => {
  const request = http.get({ host: '127.0.0.1', port, agent: false });
  request.once('response', () => { request.destroy(); resolve(true); });
  request.once('error', () => resolve(false));
});

/**
 * One web server. sites: [{host, mount, address, userHeader}], the first is the one for unknown hosts; several may have one host.
 * userHeader: with the alternative for user_variable = HTTP_X_USER_ID. configFile, instead of address: of the sse-fcgi that the server
 * starts for each request; cgi: that program. open: no authentication, X-User-Id is whatever the client
 * says; as in the demo, and only for lighttpd. tls: also listens on tlsPort, with HTTP/2 but for h2: false.
 * edit: [text, another] of the snippet, for a site that is not as it should be.
 */
export class WebServer {
  constructor({ kind = 'lighttpd', dir, sites, tls = false, h2 = true, open = false, cgi }) {
    Object.assign(this, { kind, dir, sites, tls, h2, open, log: join(dir, `${kind}.log`), configFile: join(dir, `${kind}.conf`), www: join(dir, 'www'), share: join(dir, 'share') });
    assert.ok(KINDS[kind], `kind of web server: ${kind}`);
    assert.ok(!open || kind === 'lighttpd', 'only lighttpd is ever open');
    mkdirSync(this.www, { recursive: true });
    mkdirSync(this.share, { recursive: true });
    // Apache's workers may not be root, and the project's folder may be nobody else's.
    for (const file of readdirSync(join(deploy, 'cgi'))) copyFileSync(join(deploy, 'cgi', file), join(this.share, file));
    if (cgi) {
      mkdirSync(dirname(this.program));
      copyFileSync(cgi, this.program);
    }
    writeFileSync(this.passwords, Object.entries(USERS).map(([user, password]) => `${user}:${hashes[user](password)}\n`).join(''));
    if (isRoot) {
      chmodSync(this.dir, 0o711);
      execFileSync('chmod', ['-R', 'go+rX', this.share, this.www, this.passwords, ...(cgi ? [dirname(this.program)] : [])]);
    }
    if (tls) this.#certificate();
  }

  /** In a folder that no part of the server's main configuration opens, as /usr/sbin. */
  get program() { return join(this.dir, 'sbin', 'sse-fcgi'); }
  get passwords() { return join(this.dir, 'htpasswd'); }
  get certificate() { return join(this.dir, 'cert.pem'); }
  get key() { return join(this.dir, 'key.pem'); }

  #certificate() {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-keyout', this.key, '-out', this.certificate], { stdio: 'ignore' });
  }

  /** A filled-in snippet of this server, as its administrator would get it. */
  snippet({ mount = '/api/stream', address = '/run/none', userHeader = false, configFile, edit }, name = KINDS[this.kind].snippet) {
    const text = execFileSync(program('ssectl'), ['--config', '/dev/null', 'snippet', name, '--mount', mount, '--socket', address,
      '--share', this.share, ...(this.program ? ['--program', this.program] : [])]).toString()
      .replaceAll('/etc/sse-resilience/htpasswd', this.passwords);
    assert.doesNotMatch(text, /@[A-Z]+@/, 'everything is filled in');
    const configured = configFile ? withAlternative(text, 'config').replaceAll('/etc/sse-resilience/sse-resilience.conf', configFile) : text;
    const chosen = userHeader ? withAlternative(configured, 'header') : configured;
    if (!edit) return chosen;
    assert.equal(chosen.split(edit[0]).length, 2, `${edit[0]} is in the snippet once`);
    return chosen.replace(edit[0], () => edit[1]);
  }

  /** Write all files, and return the command that runs the server in the foreground. */
  configure() {
    writeFileSync(this.configFile, KINDS[this.kind].config(this));
    return KINDS[this.kind].command(this);
  }

  /** The server's own opinion of its configuration: {code, stderr}. */
  async check() {
    this.port ??= await freePort();
    const [program, ...args] = this.configure();
    return run(program, [...args.filter((word) => word !== '-D' && word !== 'FOREGROUND'), ...KINDS[this.kind].check]);
  }

  async start() {
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort();
      if (this.tls) this.tlsPort = await freePort();
      const [program, ...args] = this.configure();
      const log = openSync(this.log, 'a');
      this.process = Process.start(this.kind, program, args, { stdio: ['ignore', log, log] });
      closeSync(log);
      await until(async () => this.process.exit || await answers(this.port), { what: `${this.kind} to answer` });
      if (!this.process.exit) return this;
      assert.ok(attempt < 5, `${this.kind} ended with ${JSON.stringify(this.process.exit)}:\n${this.logged}`); // else: the port was taken meanwhile
    }
  }

  get logged() { return existsSync(this.log) ? readFileSync(this.log, 'utf8') : ''; }

  /** What the system's `reload` does; returns when the new configuration serves. */
  async reload() {
    const starts = () => this.logged.split(KINDS[this.kind].started).length;
    const before = starts();
    process.kill(this.process.pid, KINDS[this.kind].reload);
    await until(() => starts() > before, { deadline: 10000, what: () => `${this.kind} to reload: ${this.logged.slice(-500)}` });
  }

  /** Nobody waits for a web server's grace here: the process group goes at once. */
  async stop() { if (this.process) await this.process.kill('SIGKILL'); }

  /** Proportional memory of the whole server, in KiB. */
  get pssKiB() {
    let sum = 0;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const group = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[2];
        if (Number(group) === this.process.pid) sum += Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1').match(/^Pss:\s+(\d+)/m)[1]);
      } catch { /* it has ended */ }
    }
    return sum;
  }
}

// --- lighttpd ---------------------------------------------------------------------------------------------------------

const SITE_PART = /^# ==== once per site =.*$/m;

function lighttpdConfig(server) {
  const { dir, www, port, tlsPort, sites } = server;
  const filled = sites.map((site) => server.snippet(site).split(SITE_PART));
  filled.forEach((parts) => assert.equal(parts.length, 2, 'a part for the server and one for the site'));
  const perSite = filled.map(([, text], i) => {
    const { host, mount = '/api/stream' } = sites[i];
    const inner = text + (server.open ? `
      $HTTP["url"] =~ "^${mount}/.*" {
        auth.require = ()
        setenv.set-request-header = ( "X_User_Id" => "" )
      }` : '');
    return host ? `$HTTP["host"] == "${host}" {\n${inner}\n}` : inner;
  });
  return `
    server.modules = ( "mod_indexfile", "mod_access", "mod_alias", "mod_redirect" )
    server.document-root = "${www}"
    server.upload-dirs = ( "${dir}" )
    server.errorlog = "${server.log}"
    server.bind = "127.0.0.1"
    server.port = ${port}
    server.feature-flags += ( "server.graceful-shutdown-timeout" => 1 ) # Debian: 5
    server.http-parseopts = ( "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
      "url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
      "url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable" )
    url.access-deny = ( "~", ".inc" )
    static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
    ${server.tls ? `server.modules += ( "mod_openssl" )
    $SERVER["socket"] == "127.0.0.1:${tlsPort}" {
      ssl.engine = "enable"
      ssl.pemfile = "${server.certificate}"
      ssl.privkey = "${server.key}"
    }
    ${server.h2 ? '' : 'server.feature-flags += ( "server.h2proto" => "disable" )'}` : ''}
    ${filled[0][0]}
    ${perSite.join('\n')}
    server.modules += ( "mod_dirlisting", "mod_staticfile" )
  `;
}

// --- nginx ------------------------------------------------------------------------------------------------------------

const hostsOf = (sites) => [...new Set(sites.map((site) => site.host))];

function nginxConfig(server) {
  const { dir, www, port, tlsPort, sites } = server;
  sites.forEach((site, i) => writeFileSync(join(dir, `nginx-site-${i}.conf`), server.snippet(site)));
  const servers = hostsOf(sites).map((host) => `
    server {
      listen 127.0.0.1:${port} backlog=1024;
      ${server.tls ? `listen 127.0.0.1:${tlsPort} ssl${server.h2 ? ' http2' : ''}; ssl_certificate ${server.certificate}; ssl_certificate_key ${server.key};` : ''}
      ${host ? `server_name ${host};` : ''}
      root ${www};
      ${sites.map((site, i) => (site.host === host ? `include ${dir}/nginx-site-${i}.conf;` : '')).join('\n')}
    }`);
  servers.slice(1).forEach((text, i) => { servers[i + 1] = text.replace(' backlog=1024', ''); });
  return `
    ${linesFor(server.snippet(sites[0]), 'limits')}
    ${isRoot ? 'user root;' : ''}
    daemon off;
    worker_processes 2;
    pid ${dir}/nginx.pid;
    error_log ${server.log} notice;
    http {
      access_log off;
      underscores_in_headers on; # the stricter case for X_User_Id
      gzip on;
      default_type application/octet-stream;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/nginx-${name};`).join('\n')}
      ${servers.join('\n')}
    }
  `;
}

// --- Apache -----------------------------------------------------------------------------------------------------------

const APACHE_MODULES = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_host', 'authz_user', 'auth_basic', 'env', 'setenvif', 'headers', 'alias',
  'mime', 'dir', 'proxy', 'proxy_fcgi', 'asis', 'cgid', 'reqtimeout', 'deflate', 'filter'];

function apacheConfig(server, site) {
  const { dir, www, port, tlsPort, sites } = server;
  const inside = (host) => sites.map((one, i) => (one.host === host ? site(server, one, i) : '')).join('\n');
  const hosts = (listen, also) => hostsOf(sites).map((host) => `
    <VirtualHost 127.0.0.1:${listen}>
      ServerName ${host ?? 'localhost'}
      DocumentRoot ${www}
      ${also}
      ${inside(host)}
    </VirtualHost>`).join('\n');
  return `
    ServerRoot ${dir}
    DefaultRuntimeDir ${dir}
    PidFile ${dir}/apache.pid
    Listen 127.0.0.1:${port}
    ServerName localhost
    ${isRoot ? 'User www-data\nGroup www-data' : ''}
    ErrorLog ${server.log}
    LogLevel warn
    ${[...APACHE_MODULES, ...(server.tls ? ['ssl', 'http2'] : [])].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
    ScriptSock ${dir}/cgisock
    TypesConfig /dev/null
    Timeout 300
    KeepAlive On
    KeepAliveTimeout 5
    ${linesFor(server.snippet(sites[0], KINDS[server.kind].limits), 'limits')}
    <Directory />
      AllowOverride None
      Require all denied
    </Directory>
    <Directory ${www}>
      AllowOverride FileInfo AuthConfig Limit Options=ExecCGI
      Require all granted
    </Directory>
    <Directory ${server.share}>
      Require all granted
    </Directory>
    ${hosts(port, '')}
    ${server.tls ? `Listen 127.0.0.1:${tlsPort}\n${hosts(tlsPort, `Protocols ${server.h2 ? 'h2 ' : ''}http/1.1
      SSLEngine on
      SSLCertificateFile ${server.certificate}
      SSLCertificateKeyFile ${server.key}`)}` : ''}
  `;
}

/** The snippet is in a file of its own and included in the virtual host. */
function apacheSite(server, site, i) {
  const file = join(server.dir, `apache-site-${i}.conf`);
  writeFileSync(file, server.snippet(site));
  return `Include ${file}`;
}

/** The snippet is an .htaccess file beside the bridge, in a document root for each host. */
function htaccessSite(server, site) {
  const { mount = '/api/stream', host = 'default' } = site;
  const root = join(server.www, host);
  const script = join(root, mount);
  mkdirSync(dirname(script), { recursive: true });
  writeFileSync(join(dirname(script), '.htaccess'), server.snippet(site));
  writeFileSync(script, server.snippet(site, 'sse.cgi'), { mode: 0o755 });
  if (isRoot) execFileSync('chmod', ['-R', 'go+rX', server.www]);
  return `DocumentRoot ${root}`;
}

const apache = (snippet, site, limits) => ({
  snippet,
  limits,
  config: (server) => apacheConfig(server, site),
  command: (server) => ['/usr/sbin/apache2', '-D', 'FOREGROUND', '-f', server.configFile],
  check: ['-t'],
  reload: 'SIGUSR1',
  started: 'resuming normal operations',
});

const lighttpd = (snippet) => ({
  snippet,
  config: lighttpdConfig,
  command: (server) => ['/usr/sbin/lighttpd', '-D', '-f', server.configFile],
  check: ['-tt'],
  reload: 'SIGUSR1',
  started: 'server started',
});

export const KINDS = {
  lighttpd: lighttpd('lighttpd'),
  'lighttpd-cgi': lighttpd('lighttpd-cgi'),
  nginx: {
    snippet: 'nginx',
    config: nginxConfig,
    command: (server) => ['/usr/sbin/nginx', '-p', server.dir, '-e', server.log, '-c', server.configFile],
    check: ['-t'],
    reload: 'SIGHUP',
    started: 'start worker processes',
  },
  apache: apache('apache', apacheSite, 'apache'),
  'apache-cgi': apache('apache-cgi', apacheSite, 'apache-cgi'),
  htaccess: apache('htaccess', htaccessSite, 'apache'),
};
