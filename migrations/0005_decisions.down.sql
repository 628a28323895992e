DROP TABLE trader_state;
DROP TABLE decision_cycles;
DROP TABLE conversation_messages;
DROP TABLE conversations;
