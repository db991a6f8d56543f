<?php
// php-post.php STREAM USER - progress of long work from PHP over HTTP: nothing is needed but PHP, not even an extension.
// The responder's option publish_token_file names the tokens that may publish; SSE_TOKEN_FILE holds one of them.
// Copy the class; how it is used stands below it.
final class Stream
{
    private string $producer;
    private int $n = 0;          // with the producer's name it makes keys by which a repeat is known
    private string $lease = '';
    private bool $ended = true;
    private float $lastSign = 0; // of life

    public function __construct(private string $id, private string $user)
    {
        $this->producer = bin2hex(random_bytes(8));
        register_shutdown_function([$this, 'failUnlessEnded']); // after exit(), uncaught exceptions and fatal errors, too
        if (function_exists('pcntl_signal')) { // on a terminal: SIGTERM would end PHP at once
            pcntl_async_signals(true);
            pcntl_signal(SIGTERM, fn () => exit(143));
        }
        $this->lease = $this->request('PUT', '', json_encode(['user' => $this->user, 'lease' => true]))['lease'];
        $this->ended = false;
    }

    /** Store one event. completed, failed and cancelled end the stream. Throws when somebody else has ended it. */
    public function emit(string $type, mixed $data): void
    {
        $this->n++;
        $this->request('POST', "?user=" . rawurlencode($this->user), json_encode(['type' => $type, 'data' => $data], JSON_THROW_ON_ERROR));
        $this->ended = in_array($type, ['completed', 'failed', 'cancelled']);
    }

    /** Call it as often as you like in long silence: it beats when that is due, or the guardian would take this program for dead. */
    public function alive(): void
    {
        if (microtime(true) - $this->lastSign >= (getenv('SSE_BEAT') ?: 10)) $this->request('POST', "?lease=$this->lease", '');
    }

    public function failUnlessEnded(): void
    {
        if ($this->ended) return;
        $last = error_get_last(); // its user will see it: no paths and no stack
        $this->emit('failed', ['reason' => ($last['type'] ?? 0) == E_ERROR ? preg_replace('~ in /.*~s', '', $last['message']) : 'ended early']);
    }

    /** Ask until there is an answer. Without one it is not known what happened: the same again, under the same key, is harmless. */
    private function request(string $method, string $query, string $body): array
    {
        $url = (getenv('SSE_URL') ?: 'http://127.0.0.1/api/stream') . "/$this->id$query";
        $file = getenv('SSE_TOKEN_FILE') ?: '/etc/sse-resilience/token';
        $token = trim((string) @file_get_contents($file)) ?: exit((int) error_log("$file: no token can be read")); // status 1
        $headers = ["Authorization: Bearer $token", 'Content-Type: application/json', 'Content-Length: ' . strlen($body)];
        if ($method == 'POST' && $body) $headers[] = "Idempotency-Key: $this->producer-$this->n";
        $http = ['method' => $method, 'header' => $headers, 'content' => $body, 'timeout' => 10, 'ignore_errors' => true];
        for ($end = microtime(true) + 20; ; usleep(500000)) {
            $http_response_header = [];
            $text = @file_get_contents($url, false, stream_context_create(['http' => $http]));
            $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
            if ($status >= 200 && $status < 500 && !in_array($status, [408, 429])) break; // 503: Redis is away, or the responder is restarted
            if (microtime(true) > $end) throw new RuntimeException("$method $url: " . ($status ?: 'no answer'));
        }
        $this->lastSign = microtime(true);
        $this->ended = $this->ended || $status == 409; // by somebody else
        if ($status < 300) return json_decode($text, true) ?? [];
        throw new RuntimeException("$method $url: $status $text");
    }
}

if ($argc != 3) { error_log('usage: php php-post.php STREAM USER'); exit(64); }
$stream = new Stream($argv[1], $argv[2]);
for ($part = 1; $part <= 5; $part++) {
    for ($until = microtime(true) + (getenv('PACE') ?: 1); microtime(true) < $until; usleep(20000)) $stream->alive(); // the work
    if ($part == 3 && getenv('DIE')) ['exception' => fn () => throw new RuntimeException('no more rows'), 'exit' => fn () => exit(3),
        'fatal' => fn () => str_repeat('x', PHP_INT_MAX)][getenv('DIE')]();
    $stream->emit('progress', ['part' => $part, 'of' => 5]);
}
$stream->emit('completed', ['rows' => 1200]);
