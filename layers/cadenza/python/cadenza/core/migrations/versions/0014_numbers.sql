-- Which nodes a plan has and how they lead to one another, without copy and times: plans of one shape have as many sends
-- ahead from the same place. A campaign has a plan for each of its people, and few shapes.
CREATE FUNCTION plan_shape(plan jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT md5(jsonb_build_array(
        plan -> 'startNodeId',
        plan -> 'defaults',
        (SELECT jsonb_agg(jsonb_build_array(node -> 'id', node -> 'action', node -> 'transitions') ORDER BY place)
         FROM jsonb_array_elements(plan -> 'nodes') WITH ORDINALITY AS n(node, place))
    )::text)
$$;
COMMENT ON FUNCTION plan_shape IS 'nodes and transitions of a plan, without copy and times, as an MD5 in hex';
ALTER TABLE campaign_plans ADD COLUMN shape TEXT GENERATED ALWAYS AS (plan_shape(plan)) STORED;

-- A message counts on the day on which it was sent; one that was not, on the day on which it was queued.
CREATE INDEX ix_outbound_messages_counted ON outbound_messages (workspace_id, coalesce(sent_at, queued_at));
-- Sends that ended without a message: made stale by a pause, or without a window that ever opens.
CREATE INDEX ix_finished_actions_dropped ON finished_actions (workspace_id, campaign_id, finished_at)
    WHERE kind = 'send' AND outcome = 'cancelled' AND reason IN ('skipped', 'no_window');
CREATE INDEX ix_message_events_replied ON message_events (workspace_id, message_id)
    WHERE kind = 'replied' AND grade = 'human';
