<?php
// php-redis.php STREAM USER - progress of long work from PHP, straight to Redis. Needs php-redis (phpredis) and the scripts' texts:
//   mkdir scripts; for s in open publish beat; do ssectl script show $s >scripts/$s.lua; done
// Copy the class; how it is used stands below it. sse-resilience-redis(7) explains the calls.
final class Stream
{
    private const POLICY = [1000, 3600000, 300000]; // log_events, stream_ttl, completion_ttl: as in sse-resilience.conf
    private ?Redis $redis = null;
    private string $producer, $lease = '';
    private array $texts;        // of the scripts
    private int $n = 0;          // with the producer's name it tells Redis a repeat from something new
    private bool $ended = false;
    private float $lastSign = 0; // of life

    public function __construct(private string $id, private string $user)
    {
        $folder = getenv('SSE_SCRIPTS') ?: 'scripts';
        foreach (['open', 'publish', 'beat'] as $script) // without one: status 1
            $this->texts[$script] = @file_get_contents($file = "$folder/$script.lua") ?: exit((int) error_log("$file: cannot be read"));
        $this->producer = bin2hex(random_bytes(8));
        register_shutdown_function([$this, 'failUnlessEnded']); // after exit(), uncaught exceptions and fatal errors, too
        if (function_exists('pcntl_signal')) { pcntl_async_signals(true); pcntl_signal(SIGTERM, fn () => exit(143)); } // which ends PHP at once
        $this->lease = $this->call('open', $id, "sse:channel:$id", '', $user, '', 1, ...self::POLICY)[1];
    }

    /** Store one event. completed, failed and cancelled end the stream. Throws when somebody else has ended it. */
    public function emit(string $type, mixed $data): void
    {
        $this->call('publish', $this->id, "sse:channel:$this->id", $this->user, 1, $this->producer, ++$this->n, ...self::POLICY,
            ...[$type, json_encode($data, JSON_THROW_ON_ERROR)]);
        $this->ended = in_array($type, ['completed', 'failed', 'cancelled']);
    }

    /** Call it as often as you like in long silence: it beats when that is due, or the guardian would take this program for dead. */
    public function alive(): void
    {
        if (microtime(true) - $this->lastSign < (getenv('SSE_BEAT') ?: 10)) return;
        [$code] = $this->call('beat', '', 'sse:channel:', ...self::POLICY, ...[$this->id, $this->lease, '']);
        if (abs($code) != 1) throw new RuntimeException("$this->id has ended, or another producer has taken it: $code");
    }

    public function failUnlessEnded(): void
    {
        if ($this->ended || $this->lease === '') return;
        $this->redis = null; // a call may have been cut half-way: its reply must not be taken for the next one's
        $last = error_get_last(); // its user will see it: no paths and no stack
        $this->emit('failed', ['reason' => ($last['type'] ?? 0) == E_ERROR ? preg_replace('~ in /.*~s', '', $last['message']) : 'ended early']);
    }

    /** Call a script until Redis answers. An error never means "not stored": the same call again is harmless. */
    private function call(string $script, mixed ...$args): array
    {
        $keys = ['sse:active', 'sse:orphaned', "sse:stream:$this->id", "sse:completion:$this->id", "sse:events:$this->id", "sse:viewers:$this->id"];
        for ($end = microtime(true) + 20; ; usleep(200000)) {
            try {
                $this->redis ??= new Redis();
                if (!$this->redis->isConnected()) $this->redis->connect(getenv('SSE_REDIS') ?: '/run/redis/redis-server.sock', 0, 2, null, 0, 4);
                $reply = $this->redis->evalSha(sha1($this->texts[$script]), [...$keys, ...$args], 6) // false: Redis lost its cache of scripts
                    ?: $this->redis->eval($this->texts[$script], [...$keys, ...$args], 6);
                if ($reply) break;
                throw new RedisException($this->redis->getLastError());
            } catch (RedisException $e) { // no connection, no answer in time, OOM, READONLY, LOADING ...
                $this->redis = microtime(true) > $end ? throw $e : null;
            }
        }
        $this->lastSign = microtime(true); $this->ended = $this->ended || $reply[0] == -2; // by somebody else
        if ($reply[0] >= 0 || $script == 'beat') return $reply;
        throw new RuntimeException("$script of $this->id was refused: " . implode(' ', $reply));
    }
}

if ($argc != 3) { error_log('usage: php php-redis.php STREAM USER'); exit(64); }
$stream = new Stream($argv[1], $argv[2]);
for ($part = 1; $part <= 5; $part++) {
    for ($until = microtime(true) + (getenv('PACE') ?: 1); microtime(true) < $until; usleep(20000)) $stream->alive(); // the work
    if ($part == 3 && getenv('DIE')) ['exception' => fn () => throw new RuntimeException('no more rows'), 'exit' => fn () => exit(3),
        'fatal' => fn () => str_repeat('x', PHP_INT_MAX)][getenv('DIE')]();
    $stream->emit('progress', ['part' => $part, 'of' => 5]);
}
$stream->emit('completed', ['rows' => 1200]);
