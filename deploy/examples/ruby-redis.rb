#!/usr/bin/ruby
# ruby-redis.rb STREAM USER - progress of long work from Ruby, straight to Redis. Needs ruby-redis and the scripts' texts:
#   mkdir scripts; for s in open publish beat; do ssectl script show $s >scripts/$s.lua; done
# Copy the class; how it is used stands below it. sse-resilience-redis(7) explains the calls.
%w[digest json redis securerandom].each { |name| require name }
(warn 'usage: ruby-redis.rb STREAM USER'; exit 64) unless ARGV.size == 2
class Stream
  POLICY = [1000, 3_600_000, 300_000].freeze # log_events, stream_ttl, completion_ttl: as in sse-resilience.conf
  TEXTS = %w[open publish beat].to_h { |name| [name, File.binread("#{ENV.fetch('SSE_SCRIPTS', 'scripts')}/#{name}.lua")] } rescue abort($!.message)

  # Stream.open(id, user) { |stream| ... }: an exception, exit or SIGTERM (which raises in Ruby) inside the block ends the stream as failed.
  def self.open(id, user)
    stream = new(id, user)
    yield stream
  ensure
    stream&.close($!)
  end

  def initialize(id, user)
    @id, @user, @n, @ended = id, user, 0, false
    @producer = SecureRandom.hex(8) # with n it tells Redis a repeat from something new
    @lease = call('open', id, "sse:channel:#{id}", '', user, '', 1, *POLICY)[1]
    @beats = Thread.new { beat }
  end

  # Store one event. completed, failed and cancelled end the stream. Raises when somebody else has ended it.
  def emit(type, data)
    @n += 1
    call('publish', @id, "sse:channel:#{@id}", @user, 1, @producer, @n, *POLICY, type, JSON.generate(data))
    @ended = %w[completed failed cancelled].include?(type)
  end

  def close(error)
    @beats.kill
    reason = case error when SystemExit then "exit #{error.status}" when SystemCallError then error.class.name else error&.message end # no paths
    emit(error ? 'failed' : 'completed', error ? { reason: reason } : {}) unless @ended
  end

  private
  # A thread of its own, for long silence: without a sign of life the guardian takes this program for dead.
  def beat
    loop do
      sleep Float(ENV.fetch('SSE_BEAT', 10))
      code, = call('beat', '', 'sse:channel:', *POLICY, @id, @lease, '')
      break unless code.abs == 1 # it has ended, or another producer has taken it: the next emit says so
    end
  end

  # Call a script until Redis answers. An error never means "not stored": the same call again is harmless.
  def call(script, *args)
    keys = %w[sse:active sse:orphaned] + %w[stream completion events viewers].map { |name| "sse:#{name}:#{@id}" }
    give_up = Time.now + 20
    begin # on a connection of its own: one that was cut half-way would give the next call the last one's reply
      redis = Redis.new(path: ENV.fetch('SSE_REDIS', '/run/redis/redis-server.sock'), timeout: 4, reconnect_attempts: 0)
      reply = begin
        redis.evalsha(Digest::SHA1.hexdigest(TEXTS[script]), keys, args)
      rescue Redis::CommandError => e
        e.message.start_with?('NOSCRIPT') ? redis.eval(TEXTS[script], keys, args) : raise # Redis lost its cache of scripts
      end
    rescue Redis::BaseError # no connection, no answer in time, OOM, READONLY, LOADING ...
      raise if Time.now > give_up && script != 'beat' # beats go on, however long Redis is away
      sleep 0.2
      retry
    ensure
      redis&.close
    end
    return reply if reply[0] >= 0 || script == 'beat'
    @ended = reply[0] == -2
    raise "#{script} of #{@id} was refused: #{reply}"
  end
end

Stream.open(ARGV[0], ARGV[1]) do |stream|
  (1..5).each do |part|
    sleep Float(ENV.fetch('PACE', 1)) # the work
    raise({ 'exception' => 'no more rows', 'exit' => SystemExit.new(3) }[ENV['DIE']]) if part == 3 && ENV['DIE']
    stream.emit('progress', { part: part, of: 5 })
  end
  stream.emit('completed', { rows: 1200 })
end
